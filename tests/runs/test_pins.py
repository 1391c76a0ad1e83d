"""A run's data are pinned: later commands read the same images, wherever they are given, or stop in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from run_support import QUIET, SMALL, TINY, error_line, fit, gan, rows
from run_support import real_statistics_once as real_statistics_once

from gan.base.notes import forget
from gan.data.files.idx import encode_idx
from gan.data.sources import mnist
from gan.runs.reader import Run

COUNTS = {"train": 120, "t10k": 60}
FEW = ("--num=20", "--json", "row.json")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """MNIST is small, and the working directory is a new one."""
    monkeypatch.setattr(mnist, "COUNTS", COUNTS)
    monkeypatch.setattr(mnist, "HELD_OUT", 20)
    monkeypatch.chdir(tmp_path)
    forget()


def write(folder, start=0):
    """Idx files of embedded digits: the first ones are also the embedded set's own training and test images."""
    images, labels = mnist.read_embedded()
    order = np.random.default_rng(start).permutation(len(images))
    folder.mkdir(parents=True)
    for part, count in COUNTS.items():
        chosen, order = order[:count], order[count:]
        (folder / f"{part}-images-idx3-ubyte").write_bytes(encode_idx(images[chosen].reshape(-1, 28, 28)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(encode_idx(labels[chosen]))
    return folder


@pytest.fixture
def run(tmp_path):
    write(tmp_path / "digits")
    return fit(tmp_path / "run", "--data.source=auto", "--data.root=digits", steps=2)


def evaluated(*words):
    assert gan("evaluate", *words, *FEW) == 0
    with open("row.json") as file:
        return json.load(file)


def refused(capsys, *words):
    """The one line of the error, without notes about whose digits were read."""
    capsys.readouterr()
    assert gan(*words) == 2
    said = capsys.readouterr().err.splitlines()
    notes = ("warning: ", "mnist: the 5,000 embedded")
    return error_line("\n".join(line for line in said if not line.startswith(notes)))


def test_a_run_records_an_absolute_root_its_source_and_checksums(run, tmp_path):
    assert Run(run).config["data"] == {
        **{"name": {"name": "mnist"}, "root": str(tmp_path / "digits"), "source": "idx", "split": "text"}
    }
    recorded = Run(run).provenance[0]["data"]
    assert recorded["source"] == "idx"
    assert len(recorded["files"]) == 4
    assert len(recorded["data_sha256"]) == 64


def test_the_default_root_falls_back_with_its_box_and_is_recorded_as_embedded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])
    run = fit(tmp_path / "run", "--data.source=auto", steps=1)
    assert "NOT THE WHOLE OF MNIST" in " ".join(capsys.readouterr().err.replace("|", " ").split())
    assert Run(run).config["data"]["source"] == "embedded"
    assert Run(run).config["data"]["root"] == str(tmp_path / "data")
    write(tmp_path / "elsewhere" / "data")  # what `auto` would take there is not what the run saw
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert evaluated(run)["source"] == "embedded"


def test_commands_from_another_folder_use_the_runs_own_files(run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    row = evaluated(run)
    assert (row["source"], row["num_real"]) == ("idx", 60)
    assert gan("resume", run, "--trainer.max_steps=3") == 0
    assert evaluated(next((run / "checkpoints").glob("last_*.ckpt")))["num_real"] == 60


@pytest.mark.parametrize("command", [("evaluate",), ("resume", "--trainer.max_steps=3")])
def test_moved_files_are_named_and_other_files_are_refused(command, run, tmp_path, capsys):
    (tmp_path / "digits").rename(tmp_path / "new_place")
    word, *flags = command
    line = refused(capsys, word, run, *flags)
    assert f"{tmp_path / 'digits'}: no such folder" in line
    assert "--data.root" in line
    write(tmp_path / "others", start=1)
    line = refused(capsys, word, run, *flags, "--data.root=others")
    assert "other images" in line
    assert "--data.root=DIR" in line
    assert Run(run).config["data"]["root"] == str(tmp_path / "digits")  # refusals change nothing
    assert gan(word, run, *flags, "--data.root=new_place") == 0
    place = "new_place" if word == "resume" else "digits"
    assert Run(run).config["data"]["root"] == str(tmp_path / place)


def test_files_changed_in_place_are_refused(run, tmp_path, capsys):
    images = np.zeros((COUNTS["t10k"], 28, 28), np.uint8)
    (tmp_path / "digits" / "t10k-images-idx3-ubyte").write_bytes(encode_idx(images))
    for words in (("evaluate", run), ("resume", run, "--trainer.max_steps=3")):
        assert "other images" in refused(capsys, *words)


def test_a_root_for_images_that_lie_in_none_is_refused(tmp_path, capsys):
    run = fit(tmp_path / "run", steps=1)
    write(tmp_path / "digits")
    for words in (("evaluate", run), ("resume", run, "--trainer.max_steps=3")):
        assert "--data.root" in refused(capsys, *words, "--data.root=digits")


def test_another_source_is_said_stamped_and_compared_with_what_was_trained_on(run, capsys):
    own = evaluated(run)
    assert own["real_in_training"] == 0
    capsys.readouterr()
    row = evaluated(run, "--data.source=embedded")
    said = capsys.readouterr().err
    assert "measured on mnist from embedded, not on the run's own images from idx" in said
    trained = mnist.MNIST().load(run.parent / "digits", "idx", "text").train.images
    embedded = mnist.MNIST().load(run, "embedded", "text").test.images
    trained, embedded = ({image.numpy().tobytes() for image in images} for images in (trained, embedded))
    assert row["real_in_training"] == len(trained & embedded) > 0
    assert f"{row['real_in_training']} of the 1,000 test images are among the images that were trained on" in said
    assert (row["source"], row["num_real"]) == ("embedded", 1000)
    assert row["protocol"] != own["protocol"]


def test_other_images_are_not_measured_on_unless_the_runs_own_are_there(run, tmp_path, capsys):
    (tmp_path / "digits").rename(tmp_path / "moved")
    line = refused(capsys, "evaluate", run, "--data.source=embedded")
    assert "no such folder" in line
    assert "to see which of the others were trained on" in line


def test_in_training_the_count_stands_in_the_rows(tmp_path):
    words = (*TINY["MLPGAN"], *SMALL, *QUIET[1:], "--data.source=embedded", "--evaluation.num_samples=20")
    assert gan("fit", *words, "--evaluation.every_n_steps=1", "--trainer.max_steps=1", "--run=run") == 0
    assert [row["real_in_training"] for row in rows(Path("run"))] == [0, 0]


def test_a_run_of_an_older_version_is_read_with_the_source_that_it_recorded(run, tmp_path, monkeypatch, capsys):
    """Such a run has what was asked for in its configuration, and no digest of the whole."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"] |= {"root": "digits", "source": "auto"}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    entries = json.loads((run / "provenance.json").read_text())
    del entries[0]["data"]["data_sha256"]
    (run / "provenance.json").write_text(json.dumps(entries))
    assert evaluated(run)["num_real"] == 60
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "no such folder" in refused(capsys, "evaluate", run)
    for root in ("data", None):  # nobody gave one: the embedded digits are not taken in place of the files
        config["data"]["root"] = root
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        assert "no idx files" in refused(capsys, "evaluate", run)
        assert evaluated(run, f"--data.root={tmp_path / 'digits'}")["num_real"] == 60


def test_a_file_outside_any_run_says_its_images_or_is_refused(run, tmp_path, capsys):
    (file,) = (run / "checkpoints").glob("last_*.ckpt")
    alone = tmp_path / "alone.ckpt"
    alone.write_bytes(file.read_bytes())
    assert evaluated(alone, "--data.root=digits")["num_real"] == 60
    assert "idx files" in refused(capsys, "evaluate", alone)
    write(tmp_path / "others", start=1)
    assert "other images" in refused(capsys, "evaluate", alone, "--data.root=others")


def test_a_recorded_null_is_the_default_root(run, capsys):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["root"] = None
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run.parent / "digits").rename(run.parent / "data")
    assert evaluated(run)["num_real"] == 60
    assert gan("resume", run, "--trainer.max_steps=3") == 0
    assert Run(run).config["data"]["root"] == str(run.parent / "data")


def test_the_folders_of_a_sets_own_parameters_are_absolute_too(tmp_path):
    random = np.random.default_rng(0)
    for part, count in (("train", 30), ("test", 10)):
        (tmp_path / part).mkdir()
        for i in range(count):
            (tmp_path / part / f"{i}.pgm").write_bytes(b"P5 8 8 255 " + random.bytes(64))
    flags = ("--data.name=folder", "--data.source=auto", "--data.size=8", "--data.root=train", "--data.test=test")
    run = fit(tmp_path / "run", *flags, steps=1)
    assert Run(run).config["data"]["name"]["test"] == str(tmp_path / "test")
