"""Stacked MNIST: what is stacked, that it is the same every time, and what is known of it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from run_support import QUIET, TINY, error_line, gan
from torchvision.datasets import MNIST as Published  # noqa: N811

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.data.sources import mnist, stacked_mnist

COUNTS = stacked_mnist.COUNTS  # the real ones
PARTS = ("train", "held_out", "test")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Few images to hold out and to test on."""
    monkeypatch.setattr(stacked_mnist, "COUNTS", {"held_out": 50, "test": 100})


def load(root=None, source="embedded", split=None, **parameters):
    parameters = {"train": 300, **parameters}
    data = ImageDataModule({"name": "stacked_mnist", **parameters}, root and str(root), source, split)
    data.prepare_data()
    data.setup()
    return data.loaded


def test_each_colour_is_a_digit_of_its_part_and_the_class_says_which():
    stacked = load()
    digits = mnist.MNIST().load(None, "embedded", "text")
    for part in PARTS:
        of = getattr(digits, part)
        label_of = {image.numpy().tobytes(): int(label) for image, label in zip(of.images, of.labels, strict=True)}
        got = getattr(stacked, part)
        assert got.images.shape == (stacked.counts[part], 3, 28, 28)
        for image, label in zip(got.images, got.labels.tolist(), strict=True):
            a, b, c = (label_of[colour.numpy().tobytes()] for colour in image)
            assert label == 100 * a + 10 * b + c


def test_classes_are_known_before_anything_is_read():
    data = ImageDataModule("stacked_mnist")
    assert (data.image_shape, data.num_classes) == ((3, 28, 28), 1000)
    assert (data.class_names[0], data.class_names[7], data.class_names[999]) == ("000", "007", "999")


def test_the_same_set_every_time():
    """Literals: numbers of today must be of the same images as those of tomorrow."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = load()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert load().train.sha256 == first.train.sha256
    assert [getattr(first, part).labels[:4].tolist() for part in PARTS] == [
        [698, 397, 22, 684],
        [867, 157, 126, 445],
        [387, 790, 59, 891],
    ]


def test_fewer_images_are_the_first_of_more():
    more, fewer = load(), load(train=20)
    assert torch.equal(more.train.images[:20], fewer.train.images)
    assert torch.equal(more.test.images, fewer.test.images)


def test_other_stackings_have_other_checksums_and_the_same_files():
    default, other, fewer = load(), load(seed=1), load(train=20)
    assert not torch.equal(default.test.images, other.test.images)
    assert len({loaded.sha256 for loaded in (default, other, fewer)}) == 3
    assert default.files == other.files == mnist.MNIST().load(None, "embedded", "text").files
    assert other.provenance["stacking"] == {"version": stacked_mnist.VERSION, "seed": 1}
    assert json.loads(json.dumps(other.provenance)) == other.provenance


def test_split_full_draws_from_the_held_out_digits_too():
    text, full = load(), load(split="full")
    assert (text.provenance["digits"]["train"], full.provenance["digits"]["train"]) == (3_500, 4_000)
    assert not text.provenance["held_out_is_trained_on"]
    assert full.provenance["held_out_is_trained_on"]
    for part in ("held_out", "test"):
        assert torch.equal(getattr(text, part).images, getattr(full, part).images)


def test_idx_files_and_a_root_without_them(small, tmp_path, monkeypatch):
    monkeypatch.setattr(Published, "mirrors", [])
    loaded = load(small, "auto")
    assert (loaded.source, loaded.official) == ("idx", False)
    assert loaded.provenance["digits"] == {"train": 15, "held_out": 5, "test": 10}
    assert len(loaded.files) == len(loaded.provenance["modified_files"]) == 4
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="mnist: download failed"):  # a root that was given is never replaced
        load(tmp_path / "empty", "auto")


def test_the_counts_of_pacgan():
    assert COUNTS["test"] == 26_000
    assert stacked_mnist.StackedMNIST().counts["train"] == 128_000


@pytest.mark.slow
def test_every_mode_of_the_real_set(mnist_root, monkeypatch):
    monkeypatch.setattr(stacked_mnist, "COUNTS", COUNTS)
    data = ImageDataModule("stacked_mnist", str(mnist_root))
    data.setup()
    loaded = data.loaded
    assert loaded.counts == {"train": 128_000, **COUNTS}
    assert loaded.official is True
    for part in PARTS:
        assert getattr(loaded, part).labels.unique().numel() == 1000


@pytest.mark.parametrize("count", ["0", "900001", "1.5"])
def test_other_numbers_of_images_are_refused(count, capsys):
    assert gan("data", "stacked_mnist", "--data.source=embedded", f"--data.train={count}") == 2
    assert "train must be" in error_line(capsys.readouterr().err)


@pytest.mark.parametrize("variant", ["PacGAN", "ConditionalGAN"])
def test_a_run(variant, tmp_path, capsys):
    data = ("--data.name=stacked_mnist", "--data.source=embedded", "--data.train=300")
    few = ("--model.recipe.batch_size=2", "--image_grid.num_images=4", "--trainer.max_steps=2")
    words = (*TINY[variant], *data, *QUIET[::2], *few)
    assert gan("fit", *words, f"--run={tmp_path / 'run'}") == 0
    assert len("".join(capsys.readouterr()).splitlines()) < 20  # not a line for each class
    picture = np.asarray(Image.open(tmp_path / "run" / "samples" / "real.png"))
    assert picture.ndim == 3
    assert (picture.max(-1) != picture.min(-1)).any()  # in colour
    assert gan("data", "stacked_mnist", *data[1:]) == 0
    assert len(capsys.readouterr().out.splitlines()) < 40
