"""An export says what the run recorded, draws the run's images in every program, and is whole or not there."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from huggingface_hub import ModelCard
from PIL import Image
from run_support import error_line, every_row, fit, gan, rows
from run_support import real_statistics_once as real_statistics_once
from support import tiny, train

import gan as package
from gan.base.errors import UserError
from gan.base.images import to_uint8
from gan.runs.checkpoint import load, save_snapshot
from gan.runs.reader import read_run

FILES = ["README.md", "config.json", "grid.png", "model.onnx", "model.safetensors"]
DOCS = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with averaged weights, measured at its end."""
    flags = ("--evaluation.every_n_steps=2", "--evaluation.num_samples=60", "--checkpoints.milestones=[1]")
    flags = (*flags, "--model.recipe.generator_weights={name: normal, std: 0.5}")
    flags = (*flags, "--model.recipe.ema_decay=0.9", "--model.recipe.generator_optimizer={name: adam, lr: 0.1}")
    flags = (*flags, "--model.recipe.generator_schedules={lr: null, momentum: null}")
    return fit(tmp_path_factory.mktemp("runs") / "run", *flags, steps=2)


@pytest.fixture(scope="module")
def digits(run, tmp_path_factory):
    """The run's export."""
    return package.export(run, tmp_path_factory.mktemp("exports") / "digits")


@pytest.fixture
def copy(digits, tmp_path):
    """An export to damage."""
    return Path(shutil.copytree(digits, tmp_path / "copy"))


def config_of(directory):
    return json.loads((directory / "config.json").read_text())


def drawn(path, out, *flags):
    assert gan("sample", path, "--num=12", "--seed=3", f"--out={out}", *flags) == 0
    with np.load(out) as file:
        return file["images"]


def refused(capsys, *words):
    capsys.readouterr()
    assert gan(*words) == 2
    return error_line(capsys.readouterr().err)


def test_an_export_has_the_hub_s_files_and_says_what_the_run_recorded(run, digits):
    assert sorted(path.name for path in digits.iterdir()) == FILES
    config, recorded = config_of(digits), read_run(run)
    assert config["variant"] == "gan.variants.mlp_gan.MLPGAN"
    assert config["hyper_parameters"]["recipe"] == recorded.recipe
    assert config["hyper_parameters"]["image_shape"] == [1, 28, 28]
    assert (config["step"], config["seed"], config["weights"], config["state"]) == (2, 1, "ema", "finished")
    assert config["commit"] == recorded.provenance[-1]["repositories"]["gan"]["commit"]
    assert config["output_range"] == [0, 1]
    data = recorded.provenance[-1]["data"]
    assert {
        key: config["data"][key] for key in ("name", "source", "counts", "files", "data_sha256")
    }.items() <= data.items()
    assert config["data"]["class_names"] == list("0123456789")
    assert config["rows"] == every_row(run)
    assert Image.open(digits / "grid.png").size == (302, 302)


def test_an_export_names_no_folder_of_this_machine(run, digits):
    places = [str(run.parent), str(Path(package.__file__).parent), os.path.expanduser("~"), os.getcwd()]
    for file in digits.iterdir():
        assert not [place for place in places if place.encode() in file.read_bytes()], file


@pytest.mark.parametrize("variant", ["MLPGAN", "ConditionalGAN"])
def test_it_draws_the_images_of_the_run(run, variant, tmp_path):
    if variant != "MLPGAN":
        change = ("--model.recipe.ema_decay=0.5", "--model.recipe.generator_optimizer.lr=0.1")
        run = fit(tmp_path / "run", *change, variant=variant, steps=1)
    images = {}
    for weights in ("raw", "ema"):
        out = tmp_path / weights
        assert gan("export", run, "--out", out, f"--weights={weights}", "--no-onnx") == 0
        images[weights] = drawn(run, tmp_path / "run.npz", f"--weights={weights}")
        assert np.array_equal(images[weights], drawn(out, tmp_path / "out.npz"))
        assert np.array_equal(images[weights], drawn(out / "model.safetensors", tmp_path / "file.npz"))
        loaded = package.load(out)
        assert loaded.weights == weights
        assert np.array_equal(images[weights], loaded.sample(12, seed=3).squeeze(1).numpy())
        assert not (out / "model.onnx").exists()
    assert not np.array_equal(images["raw"], images["ema"])


def test_the_card_s_program_draws_the_generator_s_images_by_onnxruntime(digits, monkeypatch):
    _, first, second = (digits / "README.md").read_text().split("```python\n")
    monkeypatch.chdir(digits)
    names = {}
    for code in (first, second):
        exec(code.split("```")[0], names)
    assert names["pixels"].shape == (64, 1, 28, 28)
    shown = DOCS.read_text().split("```python\n")[1].split("```")[0]
    exec(shown.replace("(64, 100)", "(64, 8)").replace("digits/", ""), documented := {})
    assert np.array_equal(documented["pixels"], names["pixels"])
    sampler = package.load(".")
    here = to_uint8(sampler(torch.from_numpy(names["latent"])), sampler.output_range).int()
    apart = (here - torch.from_numpy(names["pixels"]).int()).abs()
    assert apart.max() <= 1
    assert (apart > 0).double().mean() <= 1e-4
    assert here.unique().numel() > 50


def test_the_hub_reads_the_card_and_each_number_has_its_protocol(run, digits):
    card = ModelCard.load(digits / "README.md")
    assert card.data.library_name == "gan"
    assert card.data.license is None
    assert card.data.datasets == ["mnist"]
    assert card.data.pipeline_tag == "unconditional-image-generation"
    found = {(r.metric_type, r.metric_args["protocol"]): r.metric_value for r in card.data.eval_results}
    for row in rows(run):
        assert found["gan_fid", row["protocol"]] == row["fid"]
        assert (
            f"| `{row['protocol']}` | 2, ema | 60 against {row['num_real']} {row['split']} images of mnist" in card.text
        )
    assert "| `ema_decay` | `0.9` | `0.0` |" in card.text
    assert "(not these weights)" not in card.text
    for digest in config_of(digits)["data"]["files"].values():
        assert digest in card.text


def test_rows_of_other_weights_are_said_to_be_so(run, tmp_path):
    snapshot = read_run(run).snapshots[1]
    card = ModelCard.load(package.export(snapshot, tmp_path / "out", onnx=False) / "README.md")
    assert card.data.eval_results is None
    assert card.text.count("2, ema (not these weights)") == len(every_row(run))
    assert config_of(tmp_path / "out")["seed"] == 1


def test_a_file_outside_any_run_has_a_card_that_says_less(tmp_path):
    module = tiny("MLPGAN")
    trainer = train(module, 1)
    trainer.save_checkpoint(tmp_path / "mine.ckpt")
    save_snapshot(module, 1, tmp_path / "mine.safetensors")
    for name in ("mine.ckpt", "mine.safetensors"):
        out = package.export(tmp_path / name, tmp_path / f"of_{name}", onnx=False)
        card = ModelCard.load(out / "README.md").text
        assert "does not say which images it was trained on" in card
        assert "None is recorded" in card
        assert torch.equal(load(out).sample(4), module.sampler().sample(4))


def test_code_of_one_s_own_and_the_modules_that_it_adds(tmp_path):
    module = tiny("BiGAN")
    save_snapshot(module, 1, tmp_path / "mine.safetensors")
    with pytest.raises(UserError, match="--allow-import mylab"):
        package.export(tmp_path / "mine.safetensors", tmp_path / "out", onnx=False)
    out = package.export(tmp_path / "mine.safetensors", tmp_path / "out", onnx=False, allow_import=["mylab"])
    with pytest.raises(UserError, match="--allow-import mylab"):
        load(out)
    loaded = load(out, ["mylab"])
    assert torch.equal(loaded.sample(4), module.sampler().sample(4))
    for name, tensor in module.encoder.state_dict().items():
        assert torch.equal(loaded.further["encoder"].state_dict()[name], tensor)


def test_a_set_in_a_folder_is_evaluated_where_the_folder_is_now(tmp_path, capsys):
    images = torch.randint(0, 256, (40, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for place in ("a", "b"):
        (tmp_path / "pictures" / place).mkdir(parents=True)
    for number, image in enumerate(images.numpy()):
        Image.fromarray(image).save(tmp_path / "pictures" / "ab"[number % 2] / f"{number}.png")
    data = (f"--data.root={tmp_path / 'pictures'}", "--data.name=folder", "--data.size=8", "--data.colour=grey")
    run = fit(tmp_path / "run", "--data.source=auto", *data, steps=1)
    out = package.export(run, tmp_path / "out", onnx=False)
    found = config_of(out)["data"]
    assert found["choice"] == {"name": "folder", "size": 8, "colour": "grey", "test": None}
    assert found["class_names"] == ["a", "b"]
    assert str(tmp_path) not in (out / "config.json").read_text()
    assert ModelCard.load(out / "README.md").data.datasets is None
    line = refused(capsys, "evaluate", out, "--num=4", f"--data.root={tmp_path / 'pictures' / 'a'}")
    assert "trained on other images" in line or "too few" in line


def test_it_is_measured_as_the_run_is(run, digits, tmp_path, capsys):
    for path, name in ((run, "run"), (digits, "export")):
        assert gan("evaluate", path, "--num=60", "--json", tmp_path / name) == 0
    measured = [json.loads((tmp_path / name).read_text()) | {"generator": None} for name in ("run", "export")]
    assert measured[0] == measured[1]
    assert measured[0]["seed"] == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "does not say which images"),
        ({"choice": {"name": "evil.data.Set"}}, "--allow-import evil"),
        ({"choice": 3}, "does not say which images"),
        ({"choice": {"name": ["mnist"]}}, "data.name"),
        ({"source": ["idx"]}, "does not say which images"),
        ({"split": {"a": 1}}, "data.split"),
        ({"data_sha256": "0"}, "trained on other images than these"),
    ],
)
def test_its_images_are_not_taken_from_what_anybody_wrote(data, says, copy, capsys):
    config = config_of(copy)
    config["data"] = data if data is None else config["data"] | data
    (copy / "config.json").write_text(json.dumps(config))
    assert says in refused(capsys, "evaluate", copy, "--num=60")


def test_damage_and_missing_files_are_one_line_each(copy, capsys):
    sample = ("sample", copy, f"--out={copy.parent / 'a.png'}")
    config, weights = (copy / "config.json").read_bytes(), (copy / "model.safetensors").read_bytes()
    for content in (
        config[:200],
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b" " * 4_000_001,
    ):
        (copy / "config.json").write_bytes(content)
        assert "config.json: " in refused(capsys, *sample)
    changed = json.loads(config)
    changed["hyper_parameters"]["recipe"]["prior"] = {"name": "evil.prior"}
    (copy / "config.json").write_text(json.dumps(changed))
    assert "another hyper_parameters than model.safetensors beside it" in refused(capsys, *sample)
    (copy / "config.json").unlink()
    assert "an export without its config.json" in refused(capsys, *sample)
    (copy / "config.json").write_bytes(config)
    (copy / "model.safetensors").write_bytes(weights[:-100])
    assert "not a generator snapshot" in refused(capsys, *sample)
    (copy / "model.safetensors").write_bytes(weights[:-100] + bytes(100))
    assert "damaged (its checksum is another)" in refused(capsys, *sample)
    (copy / "model.safetensors").unlink()
    assert "an export without its model.safetensors" in refused(capsys, *sample)
    assert not (copy.parent / "a.png").exists()


def test_an_export_that_names_foreign_code_needs_consent(digits, copy, capsys, monkeypatch):
    """A stranger's export, sound in itself, whose recipe names code."""
    from gan.runs.checkpoint import read_recorded, snapshot

    recorded = read_recorded(digits / "model.safetensors")
    values = {"variant": recorded.variant, "hyper_parameters": recorded.hyper_parameters, "step": 2, "seed": 1}
    values["hyper_parameters"]["recipe"]["prior"] = {"name": "evil_module.prior"}
    content, header = snapshot(load(digits), values)
    (copy / "model.safetensors").write_bytes(content)
    (copy / "config.json").write_text(json.dumps(config_of(digits) | header))
    (copy / "evil_module.py").write_text(f"open({str(copy / 'hacked')!r}, 'w')\n")
    monkeypatch.syspath_prepend(copy)
    for words in (("sample", copy, f"--out={copy / 'a.png'}"), ("evaluate", copy)):
        assert refused(capsys, *words).endswith("--allow-import evil_module")
    assert not (copy / "hacked").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("{run}", "--out={used}"), "is in use; give a directory that is absent or empty"),
        (("{run}", "--out={file}"), "is in use"),
        (("{run}", "--out={tmp}/no/where"), "make it first"),
        (("{export}", "--out={tmp}/new"), "is an export already"),
        (("{export}", "--out={tmp}/new", "--checkpoint=best"), "is an export already"),
        (("{run}", "--out={tmp}/new", "--weights=mean"), "--weights"),
        (("{tmp}", "--out={tmp}/new"), "give a run of gan fit, a checkpoint, or an export"),
        (("{run}",), "--out"),
        (("{run}", "--out={tmp}/new", "--no-onxx"), "gan export --help"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(words, says, run, digits, tmp_path, capsys):
    (tmp_path / "file").touch()
    places = {"run": run, "export": digits, "used": digits, "file": tmp_path / "file", "tmp": tmp_path}
    assert says in refused(capsys, "export", *(word.format(**places) for word in words))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert sorted(path.name for path in digits.iterdir()) == FILES


def test_checkpoint_is_for_a_run(digits, tmp_path, capsys):
    line = refused(capsys, "sample", digits, "--checkpoint=best", f"--out={tmp_path / 'a.png'}")
    assert "--checkpoint best is for a run" in line


def test_without_the_packages_of_onnx_it_stops_before_anything_is_written(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gan.runs.onnx_model.PACKAGES", ("onnx", "no_such_package"))  # they are installed here
    line = refused(capsys, "export", run, "--out", tmp_path / "out")
    assert "model.onnx needs no_such_package; give pip install 'gan[onnx]', or --no-onnx" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_the_place_as_it_was(exists, run, tmp_path, monkeypatch):
    """A disk cannot be filled here: the picture's writer says that it is full."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if exists:
        (tmp_path / "out").mkdir()
    monkeypatch.setattr("gan.base.images.write_png", full)
    with pytest.raises(UserError, match=r"cannot write \(No space left on device\)"):
        package.export(run, tmp_path / "out", onnx=False)
    assert [list(path.iterdir()) for path in tmp_path.iterdir()] == [[]] * exists
    monkeypatch.undo()
    package.export(run, tmp_path / "out", onnx=False)
    assert len(list((tmp_path / "out").iterdir())) == len(FILES) - 1


def test_weights_that_are_not_finite_are_not_exported(tmp_path):
    module = tiny("MLPGAN")
    with torch.no_grad():
        module.generator.layers[0].weight[0, 0] = torch.nan
    save_snapshot(module, 1, tmp_path / "mine.safetensors")
    with pytest.raises(UserError, match="weights that are not finite"):
        package.export(tmp_path / "mine.safetensors", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_are_plain_safetensors(digits):
    weights = safetensors.torch.load_file(digits / "model.safetensors")
    generator = load(digits).generator.state_dict()
    assert weights.keys() == {f"generator.{name}" for name in generator}
