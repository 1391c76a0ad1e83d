"""Files of format 1, as commit dd00f76 wrote them, mean what they meant; `make_format_1.py` made them."""

import inspect
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import gan
from gan.base.choices import completed
from gan.base.errors import UserError
from gan.data.dataset import DATASETS
from gan.engine.formats import FORMAT, completed_data, completed_recipe, recorded_format
from gan.engine.recipe import Recipe
from gan.parts.optimizers import OPTIMIZERS
from gan.parts.penalties import PENALTIES
from gan.runs.checkpoint import find_checkpoint, read_checkpoint
from gan.runs.fit import configuration
from gan.runs.reader import read_run

PLACE = Path(__file__).with_name("format_1")
RUNS = sorted(path.name for path in PLACE.iterdir())


def expected(name):
    """What dd00f76 made of a run."""
    with np.load(PLACE / name / "expected.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.mark.parametrize("name", RUNS)
def test_samples_are_those_of_the_day(name):
    """To one grey level: processors round differently."""
    ours, theirs = gan.load(PLACE / name).sample(8, seed=3).numpy(), expected(name)["images"]
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_a_snapshot_is_read_as_on_its_day():
    (file,) = (PLACE / "averaged" / "checkpoints").glob("*.safetensors")
    theirs = expected("averaged")["snapshot_images"]
    assert np.abs(gan.load(file).sample(8, seed=3).numpy().astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_on_as_on_its_day(name, tmp_path):
    """Weights to 1e-5, absolute: biases before batch norm have no gradients but rounding.

    `coded` has dropout, whose masks came from elsewhere then: it goes on, to other weights.
    """
    run, end = tmp_path / "run", expected(name)
    shutil.copytree(PLACE / name, run)
    before = read_run(run)
    gan.resume(run, trainer={"max_steps": int(end["resumed_step"])})
    content = read_checkpoint(find_checkpoint(run))
    assert content["global_step"] == end["resumed_step"]
    distances = [
        float((tensor.double() - torch.from_numpy(end[f"resumed/{key}"]).double()).abs().max())
        for key, tensor in content["state_dict"].items()
    ]
    assert f"resumed/{next(iter(content['state_dict']))}" in end
    assert all(np.isfinite(distances))
    assert (max(distances) < 1e-5) == (name != "coded")
    after = read_run(run)
    assert (before.format, after.format) == (1, FORMAT)
    assert content["adversarial"]["format"] == FORMAT
    whole = Recipe.from_dict(completed_recipe(before.recipe)).to_dict()
    assert after.config["model"]["init_args"]["recipe"] == whole
    assert after.rows[: len(before.rows)] == before.rows


@pytest.mark.parametrize("name", RUNS)
def test_no_change_of_a_default_changes_what_was_recorded(name, monkeypatch):
    file = PLACE / name / "config.yaml"
    before = configuration(file)
    assert before["format"] == FORMAT
    recipe = read_checkpoint(find_checkpoint(PLACE / name))["hyper_parameters"]["recipe"]
    assert Recipe.from_dict(completed_recipe(recipe)).to_dict() == before["model"]["init_args"]["recipe"]
    for registry, key, changed in (
        (OPTIMIZERS, "adam", {"lr": 0.5, "beta1": 0.1, "beta2": 0.2, "epsilon": 0.3}),
        (OPTIMIZERS, "momentum_sgd", {"momentum": 0.25}),
        (OPTIMIZERS, "tensorflow_adam", {"lr": 0.5, "beta1": 0.1, "beta2": 0.2, "epsilon": 0.3}),
        (PENALTIES, "gradient_penalty", {"target": 3.0}),
    ):
        monkeypatch.setattr(registry[key], "__kwdefaults__", changed)
    assert completed("adam", OPTIMIZERS, "optimizer")["beta1"] == 0.1
    assert configuration(file) == before
    assert Recipe.from_dict(completed_recipe(recipe)).to_dict() == before["model"]["init_args"]["recipe"]


def test_the_table_names_every_parameter_that_had_a_default():
    """Of today's registries; what came later is not in format 1."""
    later = {"folder": {"test"}, "notmnist": {"inverted"}, "stacked_mnist": {"train", "seed"}}
    for name, dataset in DATASETS.items():
        assert completed_data(name).keys() == {"name", *inspect.signature(dataset).parameters} - later.get(name, set())
    recipe = completed_recipe(read_run(PLACE / "plain").recipe)
    assert recipe["generator"]["activation"] == {"name": "leaky_relu", "slope": 0.2}
    expected_adam = {"name": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert recipe["discriminator_optimizer"] == expected_adam
    assert recipe["generator_schedules"].keys() == {"lr"}  # a null took momentum away
    assert completed_recipe(read_run(PLACE / "averaged").recipe)["augmentations"] == {"translation": {"ratio": 0.125}}


@pytest.mark.parametrize("number", [torch.zeros(0), torch.zeros(30, 30), [2], 2.5])
def test_a_format_is_a_whole_number(number):
    with pytest.raises(UserError, match="this version of gan reads 1 to 2") as error:
        recorded_format({"format": number}, "x.ckpt")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("number", [0, 3, "2", None])
def test_a_format_of_another_version_is_refused_by_its_number(number, tmp_path):
    config = yaml.safe_load((PLACE / "plain" / "config.yaml").read_text()) | {"format": number}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match="this version of gan reads 1 to 2"):
        configuration(tmp_path / "config.yaml")


def test_what_says_no_format_is_of_the_first():
    assert recorded_format({}, "here") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prior", 5),
        ("prior", {"a": 1}),
        ("prior", {"name": [1]}),
        ("generator_penalties", 5),
        ("generator_schedules", {"lr": 5}),
        ("balance", 5),
        ("augmentations", {"translation": 5}),
    ],
)
def test_a_hostile_recipe_of_format_1_is_refused_in_one_line(field, value, tmp_path):
    config = yaml.safe_load((PLACE / "plain" / "config.yaml").read_text())
    config["model"]["init_args"]["recipe"][field] = value
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=field):
        configuration(tmp_path / "config.yaml")
