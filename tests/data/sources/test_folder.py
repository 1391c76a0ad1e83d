"""Folders of pictures: what is read, how it becomes squares, what is refused, how it is split."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.data.files.pictures import decode_picture
from gan.data.sources.folder import folder
from gan.data.sources.folder import pictures as picture_folder
from gan.data.sources.folder.folder import Folder, to_pixels

RANDOM = np.random.default_rng(0)


def noise(side=8, channels=3):
    return RANDOM.integers(0, 256, (side, side, channels), dtype=np.uint8).squeeze()


def write(path, array=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise() if array is None else array).save(path)
    return path


@pytest.fixture
def pets(tmp_path):
    """60 cats and 40 dogs of 8 x 8 random pixels."""
    for name, count in (("dogs", 40), ("cats", 60)):
        for i in range(count):
            write(tmp_path / "pets" / name / f"{i}.png")
    return tmp_path / "pets"


def get(root, split="hash", **parameters):
    return Folder(**{"size": 8} | parameters).load(root, "auto", split)


def together(data):
    parts = (data.train, data.held_out, data.test)
    return torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])


def bytes_of(split):
    return [image.numpy().tobytes() for image in split.images]


def png(array, **settings):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", **settings)
    return stream.getvalue()


def test_sub_folders_are_classes(pets):
    data = get(pets)
    assert sum(data.counts.values()) == 100
    assert data.train.images.shape[1:] == (3, 8, 8)
    images, labels = together(data)
    assert torch.bincount(labels).tolist() == [60, 40]
    by_pixels = {image.numpy().tobytes(): int(label) for image, label in zip(images, labels, strict=True)}
    for label, name in enumerate(["cats", "dogs"]):
        for path in (pets / name).iterdir():
            pixels = np.asarray(Image.open(path)).transpose(2, 0, 1)  # of the right size: read as they are
            assert by_pixels[pixels.tobytes()] == label
    assert data.provenance["class_names"] == ["cats", "dogs"]
    assert json.loads(json.dumps(data.provenance)) == data.provenance


def test_classes_are_mixed_in_every_stretch(pets):
    """The grid of real images shows the first ones."""
    assert set(get(pets).train.labels[:12].tolist()) == {0, 1}


def test_without_sub_folders_there_are_no_classes(pets):
    data = ImageDataModule({"name": "folder", "size": 8}, root=str(pets / "cats"))
    assert (data.class_names, data.num_classes) == ((), 0)
    data.prepare_data()
    data.setup("fit")
    assert sum(data.loaded.counts.values()) == 60
    assert together(data.loaded)[1].unique().tolist() == [0]


def test_the_data_module_knows_classes_and_shape_before_pictures_are_read(pets):
    (pets / "cats" / "0.png").write_bytes(b"")
    data = ImageDataModule({"name": "folder", "size": 16, "colour": "grey"}, root=str(pets))
    assert (data.image_shape, data.class_names, data.num_classes) == ((1, 16, 16), ("cats", "dogs"), 2)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"size": 0}, "data.size must be from 1 to 4096, got 0"),
        ({"size": 5000}, "data.size must be from 1 to 4096, got 5000"),
        ({"size": "big"}, "size must be int"),
        ({"colour": "red"}, "colour must be .*'grey' or 'rgb'"),
        ({"color": "rgb"}, "did you mean 'colour'"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be(pets, choice, message):
    with pytest.raises(UserError, match=message) as caught:
        ImageDataModule({"name": "folder", **choice}, root=str(pets))
    assert "\n" not in str(caught.value)


# Pixels ---------------------------------------------------------------------------------------------------------------

RAMP = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)  # 0 … 65535, as 8 bits 0 … 255


def decoded(content, channels=3, size=None):
    picture = decode_picture(content)
    return to_pixels(picture, (channels, size or picture.height, size or picture.width))


def test_sixteen_bit_grey_is_scaled():
    content = png(RAMP)
    assert Image.open(io.BytesIO(content)).mode.startswith("I")
    assert decoded(content, 1).ravel().tolist() == list(range(256))
    assert (decoded(content, 3) == decoded(content, 1)).all()


def tiff(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "TIFF")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "top"), [("int32", 255), ("int32", 65535), ("uint16", 255), ("float32", 1), ("float32", 255)]
)
def test_pixels_of_more_than_8_bits_are_scaled_by_what_is_there(kind, top, tmp_path, capsys):
    values = np.arange(256).reshape(16, 16) / 255 * top
    content = tiff(values.astype(kind))
    assert decoded(content, 1).ravel().tolist() == list(range(256))
    for i in range(40):
        (tmp_path / f"{i}.tif").write_bytes(tiff(np.roll(values.astype(kind), i)))
    data = get(tmp_path, size=16)
    assert data.provenance["scaled"] == {f"0 to {top:,}": 40}
    said = capsys.readouterr().err
    assert ("the largest value in each picture" in said) == (top < 65535)


@pytest.mark.parametrize("odd", [-1.0, 65536.0, np.nan, np.inf])
def test_pixels_without_a_known_range_are_unreadable(odd):
    with pytest.raises(ValueError, match=r"outside 0 … 65,535; save it with 8 or 16 bits"):
        decoded(tiff(np.full((8, 8), odd, np.float32)))


def test_a_photo_of_24_megapixels_is_read():
    ramp = np.linspace(0, 255, 6000).astype(np.uint8)[None].repeat(4000, 0)
    for kind in ("JPEG", "PNG"):
        Image.fromarray(ramp).save(stream := io.BytesIO(), kind)
        picture = decode_picture(stream.getvalue(), side=32)
        assert picture.size == ((750, 500) if kind == "JPEG" else (6000, 4000))
        pixels = to_pixels(picture, (1, 32, 32))[0].astype(int)
        small = np.asarray(Image.fromarray(ramp[:, 1000:5000]).resize((32, 32), Image.Resampling.LANCZOS)).astype(int)
        assert np.abs(pixels - small).max() <= 2


def test_the_bound_of_a_picture_is_told(monkeypatch):
    monkeypatch.setattr("gan.data.files.pictures.MAX_PIXELS", 1000)
    with pytest.raises(ValueError, match="40 x 40 pixels, at most 1,000 are allowed"):
        decode_picture(png(noise(40)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_shows_the_same_picture(mode):
    array = np.zeros((8, 8, 3), np.uint8)
    array[:, :3] = 255  # white, black and no colour between: no mode loses any of it
    stream = io.BytesIO()
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    Image.fromarray(array).convert("RGB" if mode == "RGB" else "L").convert(mode).save(stream, kind)
    assert Image.open(io.BytesIO(stream.getvalue())).mode == mode
    assert (decoded(stream.getvalue()) == array.transpose(2, 0, 1)).all()
    assert (decoded(stream.getvalue(), 1)[0] == array[..., 0]).all()


def test_a_palette_has_its_colours():
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    assert decoded(stream.getvalue())[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 50]]
    picture.save(stream := io.BytesIO(), "PNG", transparency=0)
    assert decoded(stream.getvalue())[:, 0].T.tolist() == [[255, 255, 255], [200, 100, 50]]


def test_alpha_stands_on_white():
    array = np.zeros((1, 3, 4), np.uint8)
    array[0, :, 0] = 255  # red
    array[0, :, 3] = (0, 51, 255)
    assert decoded(png(array))[:, 0].T.tolist() == [[255, 255, 255], [255, 204, 204], [255, 0, 0]]


def test_the_centre_is_cut_out_of_what_is_not_square():
    array = np.zeros((16, 64, 3), np.uint8)
    array[:, 24:40, 1] = 200
    assert (decoded(png(array), size=16) == np.array([0, 200, 0])[:, None, None]).all()
    assert (decoded(png(array.swapaxes(0, 1)), size=16) == np.array([0, 200, 0])[:, None, None]).all()


def test_small_patterns_become_grey_and_not_moiré():
    checks = (np.indices((96, 96)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(decoded(png(checks), 1, size=16)[0, 2:-2, 2:-2].astype(int) - 127).max() <= 2


# What is left out, and what is refused --------------------------------------------------------------------------------


def giant_png():
    """A header of 100,000 x 100,000 pixels, and no pixels."""
    chunks = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"")
    framed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


BROKEN = {
    "text.png": (b"this is no picture", "no picture"),
    "cut.png": (png(noise(40))[:400], "truncated"),
    "empty.jpg": (b"", "empty"),
    "giant.png": (giant_png(), "more than 33,554,432 pixels"),
    "float.tif": (None, "outside 0 … 65,535"),
}


def test_unreadable_pictures_are_left_out_and_said(pets, capsys):
    for name, (content, _) in BROKEN.items():
        if content is None:
            Image.fromarray(np.full((8, 8), -1, np.float32)).save(pets / "dogs" / name)
        else:
            (pets / "dogs" / name).write_bytes(content)
    data = get(pets)
    assert sum(data.counts.values()) == 100
    unreadable = data.provenance["unreadable"]
    assert unreadable["count"] == len(BROKEN)
    assert unreadable["first"].keys() == {f"dogs/{name}" for name in BROKEN}
    for name, (_, reason) in BROKEN.items():
        assert reason in unreadable["first"][f"dogs/{name}"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "5 of 105 pictures cannot be read" in said[0]


def test_the_list_of_the_unreadable_ends(pets):
    for i in range(25):
        (pets / "cats" / f"x{i}.gif").write_bytes(b"GIF89a")
    unreadable = get(pets).provenance["unreadable"]
    assert (unreadable["count"], len(unreadable["first"])) == (25, 20)


@pytest.mark.parametrize("classes", [True, False])
def test_more_than_half_unreadable(pets, classes):
    for i in range(40):
        (pets / "dogs" / f"x{i}.png").write_bytes(b"")
    root = pets if classes else pets / "dogs"
    assert sum(get(root).counts.values()) == (100 if classes else 40)  # just half of the dogs
    (pets / "dogs" / "one more.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"41 of 81 pictures cannot be read, such as '.*\.png': empty; mend") as caught:
        get(root)
    assert ("class 'dogs'" in str(caught.value)) == classes
    assert "\n" not in str(caught.value)


def test_hidden_and_other_files_are_counted(pets):
    before = get(pets)
    (pets / "cats" / ".DS_Store").write_bytes(b"x")
    (pets / "cats" / "notes.txt").write_text("x")
    write(pets / "dogs" / ".thumbnail.png")
    write(pets / ".cache" / "0.png")
    os.mkfifo(pets / "dogs" / "pipe.png")
    after = get(pets)
    assert (before.provenance["ignored_files"], after.provenance["ignored_files"]) == (0, 4)
    assert before.provenance["files"] == after.provenance["files"]
    assert after.provenance["class_names"] == ["cats", "dogs"]


def test_suffixes_may_be_in_capitals(tmp_path):
    for i in range(40):
        write(tmp_path / f"{i}.PNG")
    assert sum(get(tmp_path).counts.values()) == 40


def test_links_are_followed_inside_only(pets, tmp_path, capsys):
    (pets / "dogs" / "inside.png").symlink_to(pets / "cats" / "0.png")
    (pets / "dogs" / "outside.png").symlink_to(write(tmp_path / "secret.png"))
    (pets / "dogs" / "nowhere.png").symlink_to(tmp_path / "nothing.png")
    (pets / "dogs" / "loop.png").symlink_to(pets / "dogs" / "loop.png")
    data = get(pets)
    assert sum(data.counts.values()) == 101
    assert torch.bincount(together(data)[1]).tolist() == [60, 41]
    assert "2 links that lead out of the folder" in capsys.readouterr().err
    assert (data.provenance["skipped_links"], data.provenance["ignored_files"]) == (2, 1)  # the loop is no file
    (tmp_path / "door").symlink_to(pets)
    assert get(tmp_path / "door").provenance == data.provenance  # the root itself may be a link


def absent(root):
    root.rmdir()


def mnist(root):
    for name in ("train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        (root / name).write_bytes(b"\x1f\x8b")


def mixed(root):
    write(root / "cats" / "0.png")
    write(root / "1.png")


def nested(root):
    write(root / "cats" / "white" / "0.png")


def class_without_pictures(root):
    write(root / "cats" / "0.png")
    (root / "dogs").mkdir()


def linked_class(root):
    write(root.parent / "elsewhere" / "0.png")
    (root / "dogs").symlink_to(root.parent / "elsewhere")


def file_in_place_of_a_folder(root):
    root.rmdir()
    write(root.with_suffix(".png")).rename(root)


def too_few(root):
    write(root / "0.png")


def only_links_out(root):
    write(root / "cats" / "0.png")
    (root / "dogs").mkdir()
    (root / "dogs" / "0.png").symlink_to(write(root.parent / "dog.png"))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (absent, "not a folder that can be listed"),
        (file_in_place_of_a_folder, "not a folder"),
        (mnist, r"no pictures in it \(2 other files\), nor sub-folders"),
        (mixed, r"holds pictures \('1.png', …\) beside sub-folders \('cats', …\)"),
        (nested, "'cats/white' is a folder in a class's folder"),
        (class_without_pictures, "dogs: no pictures in it, only 0 links that lead out"),
        (only_links_out, "dogs: no pictures in it, only 1 links that lead out"),
        (linked_class, "dogs: a link to a folder"),
        (too_few, r"too few pictures: .*each part needs at least one"),
    ],
)
def test_what_is_no_such_folder_gets_one_line(tmp_path, build, message):
    root = tmp_path / "root"
    root.mkdir()
    build(root)
    with pytest.raises(UserError, match=message) as caught:
        ImageDataModule("folder", root=str(root)).setup()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(root))


def test_bounds(pets, monkeypatch):
    monkeypatch.setattr(folder, "MAX_TOTAL_BYTES", 100 * 3 * 8 * 8)
    get(pets)
    with pytest.raises(UserError, match=r"100 pictures of 3 x 9 x 9 are 24,300 bytes, at most 19,200.*--data\.size"):
        get(pets, size=9)
    monkeypatch.setattr(picture_folder, "MAX_FILES", 99)
    with pytest.raises(UserError, match="more than 99 files"):
        get(pets)


def test_a_long_reading_shows_a_bar(pets, monkeypatch, capsys):
    get(pets)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(folder, "BAR_FROM", 99)
    get(pets)
    assert "reading pictures: 100%" in capsys.readouterr().err


# The split ------------------------------------------------------------------------------------------------------------


def test_the_split_is_by_pixels_so_that_copies_stay_together(tmp_path):
    originals = [noise() for _ in range(40)]
    for copy in ("a", "b", "c"):
        for i, array in enumerate(originals):
            write(tmp_path / copy / f"{i}.{'png' if copy != 'b' else 'bmp'}", array)
    data = get(tmp_path)
    parts = [set(bytes_of(part)) for part in (data.train, data.held_out, data.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 40
    assert sum(data.counts.values()) == 120


def test_the_parts_are_about_80_10_10(tmp_path):
    for i in range(1000):
        (tmp_path / f"{i}.pgm").write_bytes(b"P5 2 2 255 " + RANDOM.bytes(4))
    counts = get(tmp_path, size=2, colour="grey").counts
    assert 760 < counts["train"] < 840
    assert 70 < counts["held_out"] < 130
    assert 70 < counts["test"] < 130


def test_a_new_picture_moves_no_other(pets):
    before = get(pets)
    for i in range(20):
        write(pets / "birds" / f"{i}.png")
    after = get(pets)
    assert sum(after.counts.values()) == 120
    for part in ("train", "held_out", "test"):
        assert set(bytes_of(getattr(before, part))) <= set(bytes_of(getattr(after, part)))


def test_full_trains_on_the_held_out_images_too(pets):
    parts, full = get(pets), get(pets, split="full")
    assert torch.equal(full.train.images, torch.cat([parts.train.images, parts.held_out.images]))
    assert torch.equal(full.held_out.images, parts.held_out.images)
    assert torch.equal(full.test.images, parts.test.images)
    assert full.provenance["counts"] == full.counts
    assert (parts.provenance["held_out_is_trained_on"], full.provenance["held_out_is_trained_on"]) == (False, True)


def test_the_checksum_is_of_names_and_contents(pets):
    def checksum():
        return get(pets).provenance["files"]["pictures"]

    seen = [checksum()]
    path = pets / "cats" / "0.png"
    path.write_bytes(path.read_bytes() + b"\0")  # behind the end: the same pixels
    seen.append(checksum())
    path.rename(pets / "cats" / "00.png")  # the same place in the order of the names
    seen.append(checksum())
    assert len(set(seen)) == 3
    (pets / "cats" / "00.png").touch()
    assert checksum() == seen[-1]
