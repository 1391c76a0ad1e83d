"""Laws of every registered data set that can be had without a network."""

import json

import numpy as np
import pytest
import torch
from letters_support import pictures
from PIL import Image

from gan.data.datamodule import ImageDataModule
from gan.data.dataset import DATASETS
from gan.data.files.idx import encode_idx
from gan.data.sources import fashion_mnist, kmnist, stacked_mnist
from gan.data.sources.glyphs import glyphs

PARTS = ("train", "held_out", "test")


def write_pictures(root, patch):
    random = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (root / name).mkdir()
        for i in range(60):
            array = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(array).save(root / name / f"{i}.png")
            if i % 3 == 0:
                Image.fromarray(array).save(root / name / f"copy of {i}.png")


def write_idx_files(root, patch):
    counts = {"train": 40, "t10k": 10}
    for module in (fashion_mnist, kmnist):
        patch.setattr(module, "COUNTS", counts)
        patch.setattr(module, "HELD_OUT", 10)
    random = np.random.default_rng(0)
    for part, count in counts.items():
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (root / f"{part}-images-idx3-ubyte").write_bytes(encode_idx(images))
        (root / f"{part}-labels-idx1-ubyte").write_bytes(encode_idx(np.arange(count, dtype=np.uint8) % 10))


def write_letters(root, patch):
    images, labels = pictures()
    images[:20] = images[100:]  # copies with another label
    (root / "t10k-images-idx3-ubyte").write_bytes(encode_idx(images))
    (root / "t10k-labels-idx1-ubyte").write_bytes(encode_idx(labels))


def few_glyphs(root, patch):
    patch.setattr(glyphs, "COUNTS", {"train": 600, "held_out": 200, "test": 200})


def few_stacks(root, patch):
    patch.setattr(stacked_mnist, "COUNTS", {"held_out": 200, "test": 200})


def nothing(root, patch):
    """What ships with the package's requirements is enough."""


# name -> (what it needs in its root, source, parameters)
OFFLINE = {
    "mnist": (nothing, "embedded", {}),
    "fashion_mnist": (write_idx_files, "idx", {}),
    "kmnist": (write_idx_files, "idx", {}),
    "folder": (write_pictures, "auto", {"size": 10}),
    "glyphs": (few_glyphs, "auto", {}),
    "notmnist": (write_letters, "idx", {}),
    "stacked_mnist": (few_stacks, "embedded", {"train": 600}),
}
every_data_set = pytest.mark.parametrize("name", DATASETS)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Makes a data module of a registered name, set up; the same one again unless a fresh one is asked for."""
    roots, modules = {}, {}

    def start(name, split=None, fresh=False):
        if name not in OFFLINE:
            pytest.skip(f"{name} needs files that cannot be made here")
        write, source, parameters = OFFLINE[name]
        split = split or DATASETS[name].splits[0]
        if name not in roots:
            roots[name] = tmp_path_factory.mktemp(name)
            write(roots[name], patch)
        if fresh or (name, split) not in modules:
            data = ImageDataModule({"name": name, **parameters}, str(roots[name]), source, split)
            announced = data.image_shape, data.class_names, data.num_classes
            data.prepare_data()
            data.setup("fit")
            assert announced == (data.image_shape, data.class_names, data.num_classes)
            modules[name, split] = data
        return modules[name, split]

    with pytest.MonkeyPatch.context() as patch:
        yield start


@every_data_set
def test_images_are_as_announced(name, build):
    for split in DATASETS[name].splits:
        data = build(name, split)
        loaded = data.loaded
        for part in (loaded.train, loaded.held_out, loaded.test):
            assert part.images.dtype == torch.uint8
            assert part.images.shape[1:] == data.image_shape
            assert part.labels.dtype == torch.int64
            assert 0 <= part.labels.min() <= part.labels.max() < max(1, data.num_classes)
        assert loaded.train.images.unique().numel() > 2
        assert loaded.name == loaded.provenance["name"] == name
        assert loaded.provenance["split"] == split
        assert loaded.provenance["source"] == loaded.source
        assert loaded.provenance["counts"] == loaded.counts


@every_data_set
def test_no_image_is_in_two_parts_of_the_first_split(name, build):
    loaded = build(name).loaded
    assert loaded.provenance["held_out_is_trained_on"] is False
    parts = [{image.numpy().tobytes() for image in getattr(loaded, part).images} for part in PARTS]
    assert sum(map(len, parts)) == len(set.union(*parts))


@every_data_set
def test_test_images_are_never_trained_on(name, build):
    for split in DATASETS[name].splits:
        loaded = build(name, split).loaded
        test = {image.numpy().tobytes() for image in loaded.test.images}
        assert test.isdisjoint(image.numpy().tobytes() for image in loaded.train.images)


@every_data_set
def test_loading_twice_gives_the_same(name, build):
    first, second = build(name).loaded, build(name, fresh=True).loaded
    assert first is not second
    assert first.provenance == second.provenance
    for part in PARTS:
        assert torch.equal(getattr(first, part).images, getattr(second, part).images)
        assert torch.equal(getattr(first, part).labels, getattr(second, part).labels)


@every_data_set
def test_provenance_is_json(name, build):
    provenance = build(name).loaded.provenance
    assert json.loads(json.dumps(provenance, allow_nan=False)) == provenance
    assert all(len(sha256) == 64 for sha256 in provenance["files"].values())
    assert provenance["files"]
