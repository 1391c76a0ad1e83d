"""Configs compose key by key, are found from anywhere, and what a run saves resolves to itself."""

import inspect
import os

import pytest
import yaml
from run_support import DATA, FEW, QUIET, SMALL, TINY, error_line, fit, gan, resolved, same_end

import gan as package
from gan.base.choices import completed
from gan.base.errors import UserError
from gan.cli.flags import parse_flags
from gan.data.datamodule import ImageDataModule
from gan.data.dataset import DATASETS
from gan.engine.recipe import Recipe
from gan.parts.optimizers import OPTIMIZERS
from gan.parts.priors import PRIORS
from gan.runs.callbacks.scalars import Scalars
from gan.runs.config import DATA_ARGUMENTS, KEYS, SECTIONS, shipped_configs
from gan.runs.fit import configuration
from gan.runs.plan import CALLBACKS
from gan.runs.trainer import TRAINER_DEFAULTS
from gan.runs.yaml_files import parse_value
from gan.variants import VARIANTS


def written(tree, directory):
    """A file with the tree."""
    (directory / "resolved.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    return directory / "resolved.yaml"


def recipe(*words):
    return resolved("--model=MLPGAN", *words)["model"]["init_args"]["recipe"]


def test_configs_and_flags_merge_key_by_key_and_the_last_wins(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "model: {class_path: MLPGAN, recipe: {prior: uniform, d_steps: 2}}\ntrainer: {max_steps: 5}"
    )
    (tmp_path / "b.yaml").write_text("model: {recipe: {prior: {bound: 2.0}}}\ntrainer: {max_epochs: 7}")
    words = [f"--config={tmp_path / 'a.yaml'}", "--config", tmp_path / "b.yaml", "--trainer.max_steps", 9]
    tree = resolved(*words)
    values = tree["model"]["init_args"]["recipe"]
    assert (tree["trainer"]["max_steps"], tree["trainer"]["max_epochs"]) == (9, 7)
    assert values["prior"] == {"name": "uniform", "bound": 2.0}
    assert values["d_steps"] == 2
    assert values["generator"] == VARIANTS["MLPGAN"].defaults.to_dict()["generator"]


def test_the_order_of_configs_counts_and_flags_come_last(tmp_path):
    for name, steps in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.yaml").write_text(f"model: MLPGAN\ntrainer: {{max_steps: {steps}}}")
    a, b = (f"--config={tmp_path / name}.yaml" for name in "ab")
    assert resolved(a, b)["trainer"]["max_steps"] == 2
    assert resolved(b, a)["trainer"]["max_steps"] == 1
    assert resolved("--trainer.max_steps=3", a, b)["trainer"]["max_steps"] == 3


def test_null_removes_a_key_and_elsewhere_restores_the_default():
    defaults = recipe()
    assert recipe("--model.recipe.generator_schedules.momentum=null")["generator_schedules"].get("momentum") is None
    assert Recipe.from_dict(recipe("--model.recipe.generator_schedules.momentum=null")).generator_schedules.keys() == {
        "lr"
    }
    assert recipe("--model.recipe.prior=uniform", "--model.recipe.prior.bound=null")["prior"] == {
        "name": "uniform",
        "bound": 1.0,
    }
    assert defaults["generator_schedules"]["momentum"]["final"] == 0.7
    tree = resolved("--model=MLPGAN", "--trainer.max_steps=3", "--trainer.max_steps=null", "--run=null")
    assert tree["trainer"] == TRAINER_DEFAULTS
    assert tree["run"] == os.path.abspath("runs/fit/MLPGAN/seed_1")


def test_another_name_replaces_the_whole_choice():
    changed = recipe(
        "--model.recipe.generator_optimizer=adam",
        "--model.recipe.generator_schedules.momentum=null",
        "--model.recipe.generator_schedules.lr=null",
    )
    assert changed["generator_optimizer"] == completed("adam", OPTIMIZERS, "optimizer")
    weights = recipe("--model.recipe.generator_weights.name=glorot_uniform")["generator_weights"]
    assert weights == {"name": "glorot_uniform"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1e-4", 1e-4), ("2E3", 2000.0), ("-1e-4", -1e-4), ("1.5e-3", 0.0015), (".5e1", 5.0), ("100_000", 100_000)],
        *[("3", 3), ("0.5", 0.5), ("true", True), ("null", None), ("[1, 2]", [1, 2]), ("1e", "1e"), ("e5", "e5")],
    ],
)
def test_values_are_yaml_and_1e_4_is_a_number(text, value):
    found = parse_value(text, "--x")
    assert found == value
    assert type(found) is type(value)


def test_1e_4_in_a_config_file_is_a_number_too(tmp_path):
    (tmp_path / "c.yaml").write_text("model: {class_path: MLPGAN, recipe: {generator_optimizer: {lr: 1e-4}}}")
    assert (
        resolved(f"--config={tmp_path / 'c.yaml'}")["model"]["init_args"]["recipe"]["generator_optimizer"]["lr"] == 1e-4
    )


def test_a_folder_may_be_called_2024():
    tree = resolved("--model=MLPGAN", "--run=2024", "--data.root", "1e3", "--data.name=glyphs", "--data.fonts=2024")
    assert tree["run"] == os.path.abspath("2024")
    assert tree["data"]["root"] == "1e3"
    assert tree["data"]["name"] == {"name": "glyphs", "fonts": "2024", "inverted": 0.0}


@pytest.mark.parametrize("name", sorted(name for name in shipped_configs() if "/" not in name))
def test_every_shipped_config_resolves_from_any_directory_and_to_itself(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree = resolved("--config", name, *([] if "trainer/" not in str(shipped_configs()[name]) else ["--model=MLPGAN"]))
    assert configuration(written(tree, tmp_path)) == tree
    text = shipped_configs()[name].read_text()
    assert text.startswith("# "), "a config opens like a lab note"
    assert "gan fit --config" in text.split("\n\n")[0]


def test_there_are_shipped_configs_and_short_names():
    found = shipped_configs()
    assert found["mlp_gan"] == found["systems/mlp_gan"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"model: [unclosed", "YAML"),
        (b"- model\n- data\n", "mapping"),
        (b"", "mapping"),
        (b"just words", "mapping"),
        (bytes(range(256)), "YAML"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "YAML"),
        (b"!!python/object/apply:os.system ['touch hacked']", "YAML"),
        (b"model: MLPGAN\ntrainer: 5", "trainer must be a mapping"),
        (b"model: MLPGAN\ntrainer: {max_step: 5}", "did you mean 'max_steps'"),
        (b"model: MLPGAN\nmdata: {}", "did you mean 'data'"),
        (b"model: {class_path: MLPGAN, recipe: {piror: normal}}", "did you mean 'prior'"),
        (b"model: MLPGAN\nrun: [a]", "run must be"),
        (b"model: MLPGAN\n1: 2", "unknown key 1"),
        (b"trainer: {max_steps: 5}", "no variant"),
        (b"model: {class_path: MLPGAN, recipe: {1: 2}}", "no field 1"),
        (b"model: {class_path: MLPGAN, recipe: {prior: {name: normal, 1: 2}}}", "no parameter 1"),
    ],
)
def test_a_broken_config_is_refused_in_one_line(content, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_bytes(content)
    assert gan("fit", "--config=c.yaml", "--run=run") == 2
    assert says in error_line(capsys.readouterr().err)
    assert os.listdir() == ["c.yaml"]


def test_a_config_that_is_a_directory_or_absent_is_refused(tmp_path, capsys):
    for place in (tmp_path, tmp_path / "none.yaml"):
        assert gan("fit", f"--config={place}") == 2
        assert "--config" in error_line(capsys.readouterr().err)


def test_a_flag_needs_its_value():
    for words in (["--trainer.max_steps"], ["--trainer.max_steps", "--run=x"]):
        with pytest.raises(UserError, match="needs a value"):
            parse_flags(words)


REMOVALS = (
    ["--model.recipe.generator_schedules.momentum=null"],
    ["--model.recipe.generator_schedules.lr.minimum=null"],
    ["--model.recipe.generator.activation=relu"],
    ["--model.recipe.prior=uniform", "--model.recipe.generator_penalties.l2=0.5"],
    ["--model.recipe.balance.low=0.5", "--model.recipe.balance.high=0.9"],
)


@pytest.mark.parametrize("flags", REMOVALS, ids=" ".join)
def test_a_resolved_tree_resolves_to_itself(flags, tmp_path):
    tree = resolved("--model=MLPGAN", *flags)
    assert configuration(written(tree, tmp_path)) == tree
    assert Recipe.from_dict(tree["model"]["init_args"]["recipe"]) != VARIANTS["MLPGAN"].defaults


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_variants_defaults_resolve_to_themselves(variant, tmp_path):
    tree = resolved(f"--model={variant}")
    assert Recipe.from_dict(tree["model"]["init_args"]["recipe"]) == VARIANTS[variant].defaults
    assert configuration(written(tree, tmp_path)) == tree


def test_no_default_of_the_code_changes_a_recorded_run(tmp_path, monkeypatch):
    tree = resolved("--config=mlp_gan", "--data.name=glyphs", "--model.recipe.prior=uniform")
    file = written(tree, tmp_path)
    changed = VARIANTS["MLPGAN"].defaults.merged({"d_steps": 3, "ema_decay": 0.9, "generator_penalties": {"l2": 1}})
    monkeypatch.setattr(VARIANTS["MLPGAN"], "defaults", changed)
    for function, defaults in (
        (PRIORS["uniform"], {"bound": 7.0}),
        (OPTIMIZERS["momentum_sgd"], {"momentum": 0.1}),
        (DATASETS["glyphs"].__init__, {"inverted": 1.0}),
    ):
        keywords = function.__kwdefaults__
        assert keywords.keys() >= defaults.keys() or not keywords, function
        monkeypatch.setattr(function, "__kwdefaults__", (keywords or {}) | defaults)
    monkeypatch.setattr(Scalars.__init__, "__defaults__", (7,))
    monkeypatch.setitem(TRAINER_DEFAULTS, "max_steps", 3)
    monkeypatch.setitem(TRAINER_DEFAULTS, "precision", "bf16-mixed")
    assert resolved("--config=mlp_gan")["model"]["init_args"]["recipe"]["d_steps"] == 3, "the case at hand"
    assert configuration(file) == tree


def test_a_recorded_run_counts_alone_and_flags_go_over_it(tmp_path):
    tree = resolved(
        "--model=MLPGAN", "--model.recipe.generator_schedules.momentum=null", "--checkpoints.milestones=[3]"
    )
    file = written(tree, tmp_path)
    again = configuration(["quickstart", file], recipe={"d_steps": 2}, checkpoints={"milestones": None})
    assert again["model"]["init_args"]["recipe"] == tree["model"]["init_args"]["recipe"] | {"d_steps": 2}
    assert again["checkpoints"] == tree["checkpoints"] | {"milestones": None}
    assert again["trainer"] == tree["trainer"]


def test_a_run_of_format_1_is_read_and_completed(tmp_path):
    tree = resolved("--model=MLPGAN", "--model.recipe.generator_schedules.momentum=null")
    old = yaml.safe_load(yaml.safe_dump(tree))
    recipe = old["model"]["init_args"]["recipe"]
    recipe["generator_schedules"]["momentum"] = None  # how a removed key was written
    recipe["prior"], recipe["discriminator"] = "normal", {"name": "mlp", "widths": [200, 200]}
    del old["format"], recipe["schedules"], old["trainer"]["precision"]
    recipe["discriminator"]["activation"] = {"name": "leaky_relu", "slope": 0.2}
    old["data"] |= {"name": "mnist", "split": None}
    assert configuration(written(old, tmp_path)) == tree


def test_a_later_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"resolved\.yaml: has format 3; this version of gan reads 1 to 2"):
        configuration(written(resolved("--model=MLPGAN") | {"format": 3}, tmp_path))


@pytest.mark.parametrize("variant", FEW)
def test_a_runs_own_config_makes_the_same_run_again(variant, tmp_path):
    flags = ["--model.recipe.generator_biases.value=0.2"]
    if variant == "MLPGAN":
        flags += ["--model.recipe.generator_schedules.momentum=null", "--model.recipe.discriminator_optimizer.lr=1e-3"]
    first = fit(tmp_path / "first", *flags, variant=variant, steps=3)
    assert gan("fit", f"--config={first / 'config.yaml'}", f"--run={tmp_path / 'second'}") == 0
    same_end(first, tmp_path / "second")
    configs = [yaml.safe_load((tmp_path / name / "config.yaml").read_text()) for name in ("first", "second")]
    for config in configs:
        del config["run"]
    assert configs[0] == configs[1]


def test_print_config_shows_what_would_be_saved_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gan("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--print_config") == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["model"]["init_args"]["recipe"].keys() == Recipe.__dataclass_fields__.keys()
    assert list(tmp_path.iterdir()) == []


def test_print_config_names_what_a_choice_takes_by_default(capsys):
    assert gan("fit", "--config=quickstart", "--print_config") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("format: 2\n")
    assert "beta2" in printed
    tree = yaml.safe_load(printed)
    assert tree["data"] == {"name": {"name": "mnist"}, "root": None, "source": "auto", "split": "full"}
    assert tree["trainer"] == TRAINER_DEFAULTS | {"max_steps": 4000}


def test_the_sections_known_without_torch_are_those_of_the_classes():
    assert tuple(inspect.signature(ImageDataModule).parameters) == DATA_ARGUMENTS
    assert set(SECTIONS) == {"seeds", "data", "trainer", *CALLBACKS}
    assert set(KEYS) | {"config", "recipe", "overwrite", "resume", "alone", "copies", "allow_import"} == set(
        inspect.signature(package.fit).parameters
    )


@pytest.mark.parametrize("words", [["--logger", "csv"], ["--trainer.logger=csv"], ["--trainer.logger=CSVLogger"]])
def test_a_logger_has_a_short_name(words):
    assert parse_flags(words).tree == {"trainer": {"logger": "CSVLogger"}}


def test_a_data_set_s_own_parameters_are_keys_of_data():
    flags = parse_flags(["--data.name=mylab.data.Blobs", "--data.blobs=8"])
    assert flags.tree["data"] == {"name": {"name": "mylab.data.Blobs", "blobs": 8}}


def test_another_data_set_keeps_the_root_and_drops_the_first_one_s_split_and_source():
    tree = resolved("--config=quickstart", "--data.root=here", "--data.name=glyphs")
    assert tree["data"] == resolved("--model=MLPGAN", "--data.root=here", "--data.name=glyphs")["data"]
    assert tree["data"]["split"] != "full"
