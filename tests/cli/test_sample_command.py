"""What `gan sample` writes: folders of pictures, grids, interpolations, films."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from run_support import error_line, fit, gan

import gan as package
from gan.runs.folders import class_names, folder_names
from gan.runs.reader import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a conditional generator, with pictures of 12 images at the steps 0, 2 and 3."""
    place = tmp_path_factory.mktemp("runs") / "run"
    return fit(place, "--image_grid.every_n_steps=2", steps=3, variant="ConditionalGAN")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("runs") / "plain", steps=1)


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture)


def frames(file):
    with Image.open(file) as film:
        found = []
        for number in range(film.n_frames):
            film.seek(number)
            found.append((np.asarray(film.convert("L")), film.info["duration"]))
        return found


def test_a_folder_has_a_picture_of_each_image(plain, tmp_path, capsys):
    for out in ("a", "b.c/"):
        assert gan("sample", plain, "--num=12", f"--out={tmp_path}/{out}") == 0
    assert f"12 images in {tmp_path / 'b.c'}" in capsys.readouterr().out
    images = package.sample(plain, 12).squeeze(1).numpy()
    for folder in ("a", "b.c"):
        files = sorted((tmp_path / folder).iterdir())
        assert [file.name for file in files] == [f"{number:06}.png" for number in range(12)]
        assert all(np.array_equal(pixels(file), image) for file, image in zip(files, images, strict=True))


def test_a_folder_of_classes_is_a_data_set_with_these_labels(run, tmp_path, capsys):
    assert gan("sample", run, "--num=100", f"--out={tmp_path / 'set'}") == 0
    capsys.readouterr()
    assert gan("data", "folder", f"--data.root={tmp_path / 'set'}", "--data.size=28", "--data.colour=grey") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["class_names"] == list("0123456789")
    assert sum(found["counts"].values()) == 100
    images = package.sample(run, 100).squeeze(1).numpy()
    for number, image in enumerate(images):
        assert np.array_equal(pixels(tmp_path / "set" / str(number % 10) / f"{number:06}.png"), image)


@pytest.mark.parametrize(
    ("flags", "labels"), [(["--class=7", "--num=3"], "777"), (["--interpolate", "--num=6", "--columns=3"], "000111")]
)
def test_each_image_lies_in_its_class(run, flags, labels, tmp_path):
    assert gan("sample", run, *flags, f"--out={tmp_path / 'a'}") == 0
    found = {file.stem: file.parent.name for file in (tmp_path / "a").rglob("*.png")}
    assert "".join(found[name] for name in sorted(found)) == labels


def test_the_classes_have_the_names_that_the_run_recorded(run, tmp_path):
    assert class_names(run, 10) == list("0123456789")
    shutil.copytree(run, tmp_path / "run")
    file, clothes = tmp_path / "run" / "provenance.json", ["T-shirt/top", "Trouser"]
    entry = json.loads(file.read_text())[0]
    for name, given in (("fashion_mnist", {}), ("folder", {"class_names": [*clothes, *"abcdefgh"]})):
        file.write_text(json.dumps([entry | {"data": {"name": name, **given}}]))
        assert class_names(Run(tmp_path / "run").checkpoint(), 10)[:2] == clothes
    for data in ({"name": "mylab.Shapes"}, {"name": "folder", "class_names": [1] * 10}, ["mnist"]):
        file.write_text(json.dumps([entry | {"data": data}]))
        assert class_names(tmp_path / "run", 10) == list("0123456789")
    assert class_names(tmp_path, 11)[:2] == ["00", "01"]


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["T-shirt/top", "Trouser", "été #1"], ["T-shirt_top", "Trouser", "été #1"]),
        (["../../etc", "/root", "C:\\x"], [*("_.._etc", "_root", "C__x")]),
        (["a/b", "a_b"], ["0_a_b", "1_a_b"]),
        (["a", "A"], ["0_a", "1_A"]),
        (["Train", "car"], ["0_Train", "1_car"]),
        (["..", ".hidden"], ["0_", "1_hidden"]),
        (["x\n\0\udc80", "y" * 300], ["x___", "y" * 60]),
    ],
)
def test_names_of_classes_are_safe_names_of_folders(names, folders):
    assert folder_names(names) == folders


def test_a_grid_has_any_columns_and_scale(run, tmp_path):
    images = package.sample(run, 6)
    assert gan("sample", run, "--num=6", "--columns=4", "--scale=3", f"--out={tmp_path / 'a.png'}") == 0
    found = pixels(tmp_path / "a.png")
    assert found.shape == (3 * 62, 3 * 122)
    assert np.array_equal(found[::3, ::3][2:30, 32:60], images[1, 0].numpy())
    assert np.array_equal(found[2::3, 1::3][32:60, 2:30], images[4, 0].numpy())


def test_an_interpolation_has_any_number_of_steps(plain, tmp_path):
    for words, size in (((), (302, 302)), (("--columns=4",), (122, 302)), (("--columns=4", "--num=8"), (122, 62))):
        assert gan("sample", plain, "--interpolate", *words, f"--out={tmp_path / 'a.png'}") == 0
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.size == size
    two = package.sample(plain, 4, interpolate=True, columns=2)
    three = package.sample(plain, 6, interpolate=True, columns=3)
    assert torch.equal(two[1::2], three[2::3]), "every row ends in the same image"


def test_a_film_shows_the_run_s_pictures_as_they_are(run, tmp_path, capsys):
    assert gan("sample", run, f"--out={tmp_path / 'a.gif'}") == 0
    assert f"3 frames in {tmp_path / 'a.gif'}, of the steps 0, 2, 3" in capsys.readouterr().out
    found = frames(tmp_path / "a.gif")
    for (frame, _), file in zip(found, Run(run).pictures.values(), strict=True):
        assert np.array_equal(frame, pixels(file))
    assert [milliseconds for _, milliseconds in found] == [500, 500, 2500]


def test_a_film_is_laid_anew(run, tmp_path):
    assert gan("sample", run, "--num=5", "--columns=3", "--scale=2", f"--out={tmp_path / 'a.gif'}") == 0
    for (frame, _), file in zip(frames(tmp_path / "a.gif"), Run(run).pictures.values(), strict=True):
        picture = pixels(file)
        assert frame.shape == (2 * 62, 2 * 92)
        assert np.array_equal(frame[::2, 1::2][32:60, 32:60], picture[2:30, 122:150])  # the fifth image
        assert not frame[64:, 124:].any()


def test_pictures_of_other_numbers_of_images_have_the_first_ones_in_common(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    first = tmp_path / "run" / "samples" / "step_0000000.png"
    Image.fromarray(pixels(first)[:32]).save(first)  # one row, as if there had been ten images before the run went on
    assert gan("sample", tmp_path / "run", f"--out={tmp_path / 'a.gif'}") == 0
    assert [frame.shape for frame, _ in frames(tmp_path / "a.gif")] == [(32, 302)] * 3


def test_a_film_in_colour_is_close_to_the_pictures(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    for file in Run(tmp_path / "run").pictures.values():
        picture = pixels(file)
        Image.fromarray(np.stack([picture, picture // 2, 0 * picture], 2)).save(file)
    assert gan("sample", tmp_path / "run", f"--out={tmp_path / 'a.gif'}") == 0
    with Image.open(tmp_path / "a.gif") as film:
        film.seek(1)
        difference = np.asarray(film.convert("RGB")).astype(int) - pixels(tmp_path / "run/samples/step_0000002.png")
    assert np.abs(difference).mean() < 4


BAD = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:200]),
    "empty": lambda file: file.write_bytes(b""),
    "no picture, or a damaged one": lambda file: file.write_text("step"),
    "no file": lambda file: (file.unlink(), file.mkdir()),
    "pixels of the kind P": lambda file: Image.new("P", (302, 62)).save(file),
    "is not the grid": lambda file: Image.new("L", (302, 61)).save(file),
    "not the grid": lambda file: Image.new("L", (302, 62), 9).save(file),
    "the grid that its run": lambda file: Image.new("L", (1, 1)).save(file),
}


@pytest.mark.parametrize("says", BAD)
def test_a_damaged_picture_is_one_line(says, run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "run")
    BAD[says](tmp_path / "run" / "samples" / "step_0000002.png")
    assert gan("sample", tmp_path / "run", f"--out={tmp_path / 'a.gif'}") == 2
    line = error_line(capsys.readouterr().err)
    assert "step_0000002.png: " in line
    assert says in line
    assert not (tmp_path / "a.gif").exists()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--columns=0", "--out=a.png"], "--columns must be a whole number from 1 to 10000, got 0"),
        (["--columns=many", "--out=a.png"], "--columns"),
        (["--scale=0", "--out=a.png"], "--scale must be a whole number from 1 to 100, got 0"),
        (["--scale=101", "--out=a.gif"], "--scale"),
        (["--columns=10000", "--num=1", "--out=a.png"], "300,002 x 32 pixels are too many"),
        (["--scale=100", "--out=a.png"], "30,200 x 30,200 pixels are too many"),
        (["--scale=100", "--out=a.gif"], "3 frames of 30,200 x 6,200 pixels are too many"),
        (["--columns=3", "--out=a.npz"], "--columns is for a grid (.png), a film (.gif) or --interpolate"),
        (["--columns=3", "--out=a"], "not for a folder of pictures"),
        (["--scale=1", "--out=a.npz"], "--scale is for a grid (.png) or a film (.gif), not for an array"),
        (["--seed=0", "--out=a.gif"], "--seed is for images that are drawn"),
        (["--class=1", "--out=a.gif"], "--class is for images that are drawn"),
        (["--interpolate", "--out=a.gif"], "--interpolate is for images that are drawn"),
        (["--num=13", "--out=a.gif"], "--num (of images that each of the run's pictures has)"),
        (["--num=0", "--out=a.gif"], "from 1 to 12, got 0"),
        (["--interpolate", "--columns=3", "--num=10", "--out=a.npz"], "rows of 3: --num must be a multiple of it"),
        (["--out=full"], "the folder is not empty"),
        (["--out=full/0.png/"], "Not a directory"),
        (["--out=none/a"], "no directory"),
        (["--out=a.jpg"], "/ (a folder of pictures), got"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(run, flags, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "0.png").touch()
    assert gan("sample", run, *flags) == 2
    assert says in error_line(capsys.readouterr().err)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["0.png", "full"]


def test_what_has_no_pictures_makes_no_film(run, plain, tmp_path, capsys):
    for path, says in (
        (plain, "has no samples/step_N.png to make a film of"),
        (Run(run).checkpoint(), "a file; a .gif shows the pictures that a run kept"),
        (tmp_path, "not a run"),
        (tmp_path / "nowhere", "not a run"),
    ):
        assert gan("sample", path, f"--out={tmp_path / 'a.gif'}") == 2
        assert says in error_line(capsys.readouterr().err)
