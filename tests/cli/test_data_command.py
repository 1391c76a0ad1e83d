"""`gan data`: every registered set and its own parameters, what is printed, and mistakes in one line."""

import json
import sys

import numpy as np
import pytest
from letters_support import contents, pictures, write_folder
from PIL import Image
from run_support import error_line, gan

from gan.base.errors import UserError
from gan.data.dataset import DATASETS, importable
from gan.data.files.idx import encode_idx
from gan.data.sources.glyphs import glyphs
from gan.runs.checkpoint import refuse_foreign


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """The pair of notMNIST's idx files: 120 letters, of which one is dark on bright."""
    root = tmp_path_factory.mktemp("letters")
    images, labels = pictures()
    images[0] = 255
    images[0, 10:18, 10:18] = 0
    (root / "t10k-images-idx3-ubyte").write_bytes(encode_idx(images))
    (root / "t10k-labels-idx1-ubyte").write_bytes(encode_idx(labels))
    return root


@pytest.fixture(scope="module")
def pngs(tmp_path_factory):
    """40 pictures of two classes."""
    root = tmp_path_factory.mktemp("pngs")
    for i, array in enumerate(np.random.default_rng(0).integers(0, 256, (40, 9, 12, 3), dtype=np.uint8)):
        (root / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.fromarray(array).save(root / "ab"[i % 2] / f"{i}.png")
    return root


def printed(capsys, *words):
    capsys.readouterr()
    assert gan("data", *words) == 0
    return json.loads(capsys.readouterr().out)


def test_a_data_sets_own_parameters_are_taken_as_by_fit(letters, pngs, capsys):
    found = printed(capsys, "notmnist", f"--data.root={letters}", "--data.polarity=normalise", "--data.split=full")
    assert (found["polarity"], found["inverted"], found["split"]) == ("normalise", 1, "full")
    assert printed(capsys, "notmnist", "--data.root", letters)["polarity"] == "keep"
    found = printed(capsys, "folder", "--data.size=28", f"--data.root={pngs}", "--data.colour=grey")
    assert found["image_shape"] == [1, 28, 28]
    assert sum(found["counts"].values()) == 40
    assert printed(capsys, "glyphs", "--data.inverted", "0.5", "--data.source=matplotlib")["inverted"] == 0.5


def test_flags_may_come_before_the_name_and_a_root_may_be_a_number(letters, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "2024", contents(*pictures(), top="notMNIST_small"))
    assert printed(capsys, "--data.root", "2024", "--data.source=folder", "notmnist")["source"] == "folder"
    found = printed(capsys, "--data.polarity=normalise", "notmnist", f"--data.root={letters}")
    assert found["polarity"] == "normalise"


def test_a_class_of_ones_own_is_called_by_its_path(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(glyphs, "COUNTS", dict.fromkeys(glyphs.COUNTS, 1))  # less to render
    monkeypatch.setitem(sys.modules, "mine", None)  # and afterwards as it was
    del sys.modules["mine"]
    (tmp_path / "mine.py").write_text(
        "from gan.data.sources.glyphs.glyphs import Glyphs\n\n\nclass Letters(Glyphs):\n    pass\n"
    )
    assert printed(capsys, "mine.Letters", "--data.inverted=1", "--data.source=matplotlib")["inverted"] == 1.0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "gan data NAME"),
        (["--data.root=x"], "gan data NAME"),
        (["--data.root"], "gan data NAME"),
        (["notmist"], "did you mean 'notmnist'?"),
        ([""], "unknown name ''"),
        (["{name: folder}"], "unknown name '{name: folder}'"),
        (["nowhere.Data"], "cannot import 'nowhere.Data'"),
        (["json.dumps"], "json.dumps"),
        (["json.JSONDecoder"], "has no 'name'"),
        (["folder", "mnist"], "'mnist' is not a flag"),
        (["folder", "--data.root"], "--data.root needs a value"),
        (["folder", "--data.sise=8"], "unknown key 'data.sise'; did you mean 'size'?"),
        (["folder", "--data.size=0"], "data.size must be from 1 to 4096, got 0"),
        (["folder", "--data.size=2.5"], "size must be int, got 2.5"),
        (["folder", "--data.size=["], "cannot read '['"),
        (["folder", "--data.colour=blue"], "colour must be 'grey' or 'rgb', got 'blue'"),
        (["folder", "--data.polarity=keep"], "data.polarity"),
        (["notmnist", "--data.polarity=invert"], "polarity must be 'keep' or 'normalise', got 'invert'"),
        (["notmnist", "--data.source=embedded"], "data.source: unknown 'embedded'"),
        (["notmnist", "--data.source=3"], "data.source: unknown 3"),
        (["notmnist", "--data.source=[idx]"], "data.source: unknown ['idx']"),
        (["mnist", "--data.split={a: b}"], "data.split: unknown {'a': 'b'}"),
        (["glyphs", "--data.inverted=2"], "inverted must be a share from 0 to 1"),
        (["glyphs", "--data.name=mnist"], "--data.name"),
        (["glyphs", "--data=mnist"], "--data"),
        (["glyphs", "--dta.inverted=2"], "--dta.inverted"),
        (["glyphs", "--model=DCGAN"], "--model"),
        (["glyphs", "--config=quickstart"], "--config"),
        (["folder", "--data.root=nowhere"], "nowhere: not a folder that can be listed"),
        *[([name, "--data.root=a_file"], "a_file: a file, not a folder; point --data.root at") for name in DATASETS],
    ],
)
def test_nonsense_is_one_line(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("text")
    assert gan("data", *words) == 2
    assert says in error_line(capsys.readouterr().err)


@pytest.mark.parametrize("command", ["data", "fit"])
def test_help_has_every_registered_data_set(command, capsys):
    assert gan(command, "--help") == 0
    text = capsys.readouterr().out
    assert all(name in text for name in DATASETS)


def test_the_help_of_data_has_every_source_split_and_own_key(capsys):
    assert gan("data", "--help") == 0
    lines = [line.split() for line in capsys.readouterr().out.replace(",", "").splitlines()]
    rows = {line[0]: line[1:] for line in lines if line and line[0] in DATASETS}
    own = {
        "folder": ["size", "colour", "test"],
        "glyphs": ["fonts", "inverted"],
        "notmnist": ["polarity", "duplicates", "inverted"],
        "stacked_mnist": ["train", "seed"],
    }
    for name, dataset in DATASETS.items():
        assert rows[name] == [*dataset.sources, *dataset.splits, *own.get(name, ["-"])]


def test_the_help_of_evaluate_does_not_speak_of_mnists_sources_alone(capsys):
    assert gan("evaluate", "--help") == 0
    assert "gan data --help" in " ".join(capsys.readouterr().out.split())


def test_parameters_of_a_registered_set_import_nothing_and_all_else_might():
    for choice in (None, "glyphs", {"name": "glyphs", "fonts": "my.fonts", "x.y": [{"a": "b.c"}]}):
        refuse_foreign(importable(choice), (), "here")
    for choice in (
        *("mylab.Data", {"name": "mylab.Data"}, {"name": "mylab.Data", "fonts": "f"}, {"fonts": "mylab.fonts"}),
        *({"name": ["mylab.Data"]}, {"name": {"glyphs": "mylab.Data"}}, ["glyphs", "mylab.Data"]),
        *(
            {"name": "gan.data.sources.glyphs.glyphs.Glyphs", "fonts": "mylab.fonts"},
            {"name": None, "fonts": "mylab.fonts"},
        ),
    ):
        with pytest.raises(UserError, match=r"names code by its path, .*; if you trust it, give --allow-import mylab"):
            refuse_foreign(importable(choice), (), "here")
