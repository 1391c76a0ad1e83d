"""Images that somebody else made: arrays and folders, sound and hostile."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from gan.base.errors import UserError
from gan.data import given
from gan.data.given import read_images

GREY = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
COLOUR = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("arrays", "shape"),
    [
        ({"images": GREY}, (3, 1, 28, 28)),
        ({"arr_0": COLOUR, "labels": np.zeros(3)}, (3, 3, 32, 32)),
        ({"x": COLOUR.transpose(0, 3, 1, 2)}, (3, 3, 32, 32)),
        ({"samples": GREY[:, None] / 255}, (3, 1, 28, 28)),
    ],
)
def test_arrays_of_every_layout_are_read(arrays, shape, tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    images = read_images(tmp_path / "a.npz")
    assert (tuple(images.shape), images.dtype) == (shape, torch.uint8)
    expected = GREY[:, None] if shape[1] == 1 else COLOUR.transpose(0, 3, 1, 2)
    assert np.array_equal(images.numpy(), expected)


def test_pictures_are_read_in_the_order_of_their_names(tmp_path):
    for name, image in (("b/2.png", COLOUR[1]), ("a/1.png", COLOUR[0]), ("b/10.png", COLOUR[2])):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    assert np.array_equal(read_images(tmp_path).numpy().transpose(0, 2, 3, 1), COLOUR[[0, 2, 1]])
    grey = tmp_path / "grey"
    grey.mkdir()
    for number, image in enumerate(GREY):
        Image.fromarray(image).convert("RGB").save(grey / f"{number}.png")
    assert np.array_equal(read_images(grey).squeeze(1).numpy(), GREY)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"images": np.array([{"a": 1}] * 3, dtype=object)}, "Python objects"),
        ({"images": GREY.astype(np.int64)}, "give uint8 from 0 to 255"),
        ({"images": GREY / 127.5 - 1}, "from -1 to 1; give floating point from 0 to 1"),
        ({"images": np.full((3, 28, 28), np.nan)}, "not finite"),
        ({"images": np.zeros((3, 28), dtype=np.uint8)}, "give \\(N, H, W\\)"),
        ({"images": np.zeros((3, 5, 28, 28), dtype=np.uint8)}, "C 1 or 3"),
        ({"images": np.zeros((1, 28, 28), dtype=np.uint8)}, "at least two"),
        ({"a": GREY, "b": GREY}, "call the images images"),
    ],
)
def test_other_arrays_are_refused_in_one_line(arrays, says, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=says) as caught:
        read_images(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def test_damaged_large_and_missing_files_are_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", images=GREY)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.npz").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "noise.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + bytes(100))
    for name in ("cut.npz", "text.npz", "noise.npz", "none.npz"):
        with pytest.raises(UserError) as caught:
            read_images(tmp_path / name)
        assert name in str(caught.value)
    monkeypatch.setattr(given, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match="when unpacked, at most 1,000"):
        read_images(tmp_path / "a.npz")


def test_folders_without_pictures_with_damaged_ones_and_of_two_sizes_are_refused(tmp_path):
    with pytest.raises(UserError, match="no pictures"):
        read_images(tmp_path)
    Image.fromarray(GREY[0]).save(tmp_path / "0.png")
    with pytest.raises(UserError, match="at least two"):
        read_images(tmp_path)
    Image.fromarray(COLOUR[0]).save(tmp_path / "1.png")
    with pytest.raises(UserError, match=r"1.png: 32x32 pixels, but 0.png has 28x28"):
        read_images(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1.png: no picture"):
        read_images(tmp_path)
