"""Folders of pictures that are divided into parts already, and a folder of test pictures of its own."""

import numpy as np
import pytest

from gan.base.errors import UserError
from gan.base.notes import forget
from gan.data.datamodule import ImageDataModule

RANDOM = np.random.default_rng(0)


def write(folder, count=20, pixels=None):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        content = RANDOM.bytes(16) if pixels is None else pixels
        (folder / f"{i}.pgm").write_bytes(b"P5 4 4 255 " + content)


def loaded(root, split=None, **parameters):
    forget()
    data = ImageDataModule({"name": "folder", "size": 4, "colour": "grey", **parameters}, str(root), split=split)
    data.prepare_data()
    data.setup()
    return data


def pixels_of(split):
    return {image.numpy().tobytes() for image in split.images}


def pixels_in(folder):
    return {file.read_bytes()[-16:] for file in folder.rglob("*.pgm")}


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "Testing"), ("train", "val", "test")], ids=str)
@pytest.mark.parametrize("classes", [("",), ("cats", "dogs")], ids=["no classes", "classes"])
def test_folders_of_splits_are_parts_and_classes_lie_below(names, classes, tmp_path):
    for name in names:
        for class_name in classes:
            write(tmp_path / name / class_name, 40)
    data = loaded(tmp_path)
    assert data.class_names == (() if classes == ("",) else classes)
    train, *validation, test = (pixels_in(tmp_path / name) for name in names)
    assert pixels_of(data.loaded.test) == test
    if validation:
        assert (pixels_of(data.loaded.train), pixels_of(data.loaded.held_out)) == (train, *validation)
    else:  # a tenth of the training pictures is held out, by the hash of their pixels
        held_out = pixels_of(data.loaded.held_out)
        assert 0 < len(held_out) < len(train) / 3
        assert pixels_of(data.loaded.train) | held_out == train
    assert pixels_of(loaded(tmp_path, "full").loaded.train) == pixels_of(data.loaded.train) | pixels_of(
        data.loaded.held_out
    )
    assert data.loaded.provenance["parts"].keys() == {"train", *["held_out"] * len(validation), "test"}


def test_a_folder_of_test_pictures_may_lie_elsewhere(tmp_path):
    write(tmp_path / "mine" / "cats")
    write(tmp_path / "theirs" / "cats")
    data = loaded(tmp_path / "mine", test=str(tmp_path / "theirs"))
    assert pixels_of(data.loaded.test) == pixels_in(tmp_path / "theirs")
    assert pixels_of(data.loaded.train) | pixels_of(data.loaded.held_out) == pixels_in(tmp_path / "mine")
    before = data.loaded.files
    (tmp_path / "theirs").rename(tmp_path / "moved")
    assert loaded(tmp_path / "mine", test=str(tmp_path / "moved")).loaded.files == before
    write(tmp_path / "moved" / "cats", 1)
    assert loaded(tmp_path / "mine", test=str(tmp_path / "moved")).loaded.files != before


def test_test_pictures_that_are_trained_on_are_counted_and_said(tmp_path, capsys):
    write(tmp_path / "train")
    write(tmp_path / "test")
    taken = next(iter(pixels_of(loaded(tmp_path).loaded.train)))
    assert capsys.readouterr().err == ""
    write(tmp_path / "test", 3, taken)
    assert loaded(tmp_path).loaded.provenance["test_pictures_in_train"] == 3
    assert "3 of 20 test pictures are trained on, too" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        (("train", "test", "cats"), "'test' is the name of a split, 'cats' is not: if 'test' is a class, rename it"),
        (("bus", "car", "train"), "'train' is the name of a split, 'bus' is not"),
        (("train",), "has train and no test; name its folder with --data.test=DIR, or give --data.root="),
        (("train", "val"), "has train, val and no test"),
        (("test",), "has test and no train"),
        (("train", "training", "test"), "'train' and 'training' are two folders for one part"),
        (("train/cats", "test/dogs"), "has other classes than .*'cats', 'dogs'"),
        (("train/cats", "test"), "has other classes than .*'cats'"),
        (("cats/train",), "'cats/train' is a folder in a class's folder"),
    ],
    ids=str,
)
def test_what_can_be_read_in_two_ways_is_one_line(folders, says, tmp_path):
    for folder in folders:
        write(tmp_path / folder, 1)
    with pytest.raises(UserError, match=says) as caught:
        loaded(tmp_path)
    assert "\n" not in str(caught.value)


def test_two_folders_of_test_pictures_are_refused(tmp_path):
    for name in ("root/train", "root/test", "other"):
        write(tmp_path / name, 1)
    with pytest.raises(UserError, match=r"and --data.test=.*other names another; remove one of them"):
        loaded(tmp_path / "root", test=str(tmp_path / "other"))
