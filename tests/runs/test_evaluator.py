"""`gan evaluator`: a classifier of one's own data, found again by training and by `gan evaluate`."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from run_support import error_line, every_row, gan

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.measure.extractors.classifier import classifier, read
from gan.measure.extractors.training import Schedule

SIDE = 32


def shapes(root, number=60, side=SIDE, seed=0):
    """Coloured discs and squares of random place, size and colour, in two folders."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    for name in ("disc", "square"):
        (root / name).mkdir(parents=True)
        for index in range(number):
            top, left, radius = *random.integers(8, side - 8, 2), random.integers(4, 8)
            away = (y - top) ** 2 + (x - left) ** 2 if name == "disc" else np.maximum(abs(y - top), abs(x - left)) ** 2
            image = np.where((away < radius**2)[..., None], random.integers(128, 256, 3), 0).astype(np.uint8)
            Image.fromarray(image).save(root / name / f"{index:03}.png")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return shapes(tmp_path_factory.mktemp("data") / "shapes")


@pytest.fixture(scope="module")
def made(root):
    """The file of a classifier that was trained for a moment."""
    assert gan("evaluator", "folder", "--data.root", root, "--epochs=8") == 0
    return root / "evaluator_folder_3x32x32.safetensors"


def test_the_file_says_what_it_was_trained_on(made, root):
    header, _ = read(made)
    assert (header["image_shape"], header["class_names"]) == ([3, SIDE, SIDE], ["disc", "square"])
    assert header["training"]["epochs"] == 8
    data = ImageDataModule({"name": "folder"}, root=str(root))
    data.setup()
    assert header["data"]["sha256"] == data.loaded.sha256
    extractor = classifier(file=str(made))
    features, logits = extractor(data.loaded.test.images)
    assert (features.shape[1], logits.shape[1]) == (128, 2)
    right = (logits.argmax(dim=1) == data.loaded.test.labels).double().mean()
    assert float(right) == header["test_accuracy"]


def test_the_same_seed_makes_the_same_file(made, root, tmp_path, capsys):
    state = torch.get_rng_state()
    assert gan("evaluator", "folder", "--data.root", root, "--epochs=8", "--out", tmp_path / "a.safetensors") == 0
    assert torch.equal(state, torch.get_rng_state())
    assert (tmp_path / "a.safetensors").read_bytes() == made.read_bytes()
    assert "of the test images right" in capsys.readouterr().out


@pytest.mark.slow
def test_training_finds_it_and_names_it_in_every_row(made, root, tmp_path):
    data = ("--model=MLPGAN", "--data.name=folder", f"--data.root={root}", "--model.recipe.batch_size=8")
    small = ("--evaluation.every_n_steps=2", "--evaluation.num_samples=10", "--trainer.max_steps=2")
    run = tmp_path / "run"
    assert gan("fit", *data, *small, f"--run={run}") == 0
    found = every_row(run)
    assert {row["metric"] for row in found} == {"frechet", "classes", "variety"}
    header, _ = read(made)
    for row in found:
        assert (row["extractor"], row["extractor_version"]) == ("folder", header["version"])
        assert row["extractor_sha256"] == classifier(file=str(made)).sha256
    assert gan("evaluate", run, "--num=10", "--json", tmp_path / "row.json") == 0
    assert json.loads((tmp_path / "row.json").read_text())["extractor"] == "folder"
    assert gan("fit", *data, "--data.size=40", *small, f"--run={tmp_path / 'other'}") == 0
    assert {row["metric"] for row in every_row(tmp_path / "other")} == {"patches"}  # it reads 32 pixels
    named = f"--evaluation.extractor={{name: classifier, file: {made}}}"
    assert gan("fit", *data, "--data.size=40", *small, named, f"--run={tmp_path / 'no'}") == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--data.size=20"], "28 to 64 pixels: give another --data.size"),
        (["--epochs=0"], "--epochs must be a number of at least 1"),
        (["--epochs=many"], "--epochs must be a number"),
        (["--out=none/a.safetensors"], "there is no directory"),
        (["--model=MLPGAN"], "gan evaluator takes a name"),
    ],
)
def test_mistakes_are_one_line(root, words, says, capsys):
    assert gan("evaluator", "folder", "--data.root", root, *words) == 2
    assert says in error_line(capsys.readouterr().err)


def test_images_without_classes_are_refused(root, tmp_path, capsys):
    assert gan("evaluator", "folder", "--data.root", root / "disc") == 2
    assert "0 classes; a classifier needs 2 to 1000" in error_line(capsys.readouterr().err)


def test_files_that_are_no_classifiers_are_refused(made, tmp_path):
    content = made.read_bytes()
    for name, bad in {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "noise": np.random.default_rng(0).bytes(1000),
        "lies": content.replace(b'\\"square\\"', b'\\"square\\",\\"x\\"', 1),
    }.items():
        (tmp_path / name).write_bytes(bad)
        with pytest.raises(UserError) as caught:
            classifier(file=str(tmp_path / name))
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="make it with gan evaluator"):
        classifier(file=str(tmp_path / "none"))


@pytest.mark.parametrize(("num", "batch", "least"), [(10, 10, 1500), (500, 20, 1500), (55_000, 200, 8000)])
def test_small_sets_get_enough_updates(num, batch, least):
    schedule = Schedule.of(num, None)
    assert schedule.batch == batch
    assert schedule.epochs * (num // batch) >= least
