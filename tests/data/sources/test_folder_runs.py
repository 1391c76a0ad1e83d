"""Runs on folders of pictures, from the command line: every variant, in colour and grey, with classes and without."""

import re

import numpy as np
import pytest
from PIL import Image
from run_support import FEW, SMALL, TINY, checkpoint, error_line, fit, gan, images, rows, same_end
from run_support import real_statistics_once as real_statistics_once

from gan.runs.reader import Run

FOLDER = ("--data.source=auto", "--data.name=folder")
COLOUR = np.array([250, 120, 10])  # every picture is a shade of it: red > green > blue


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    """60 orange pictures, in the formats PNG and JPEG, of three sizes and two classes."""
    root, random = tmp_path_factory.mktemp("pictures") / "shades", np.random.default_rng(0)
    for name in ("dark", "bright"):
        (root / name).mkdir(parents=True)
        for i in range(30):
            shade = random.uniform(0.5, 1.0, (32 + i % 3, 40, 1)) * COLOUR
            path = root / name / f"{i}.{'jpg' if i % 2 else 'png'}"
            Image.fromarray(shade.astype(np.uint8)).save(path)
    return root


@pytest.mark.parametrize(
    ("variant", "size", "colour"),
    [*((variant, 32, "rgb") for variant in (*FEW, "PacGAN", "StridedDCGAN", "UpsamplingDCGAN")), ("DCGAN", 28, "grey")],
)
def test_networks_take_size_and_channels_from_the_pictures(variant, size, colour, shades, tmp_path):
    flags = (*FOLDER, f"--data.root={shades}", f"--data.size={size}", f"--data.colour={colour}")
    run = fit(tmp_path / "run", *flags, "--image_grid.every_n_steps=2", steps=3, variant=variant)
    hyper_parameters = checkpoint(run)["hyper_parameters"]
    channels = 3 if colour == "rgb" else 1
    assert hyper_parameters["image_shape"] == [channels, size, size]
    assert hyper_parameters["num_classes"] == 2
    assert gan("sample", run, "--num=5", "--out", tmp_path / "a.npz") == 0
    with np.load(tmp_path / "a.npz") as file:
        assert file["images"].shape == ((5, size, size, 3) if channels == 3 else (5, size, size))
        assert file["images"].dtype == np.uint8
    for name in ("real", "step_0000002", "step_0000003"):
        with Image.open(run / "samples" / f"{name}.png") as picture:
            assert picture.mode == ("RGB" if channels == 3 else "L")
            assert picture.size == (10 * (size + 2) + 2, 2 * (size + 2) + 2)  # 12 images
            if name == "real" and channels == 3:
                red, green, blue = np.asarray(picture)[2 : 2 + size, 2 : 2 + size].mean((0, 1))
                assert red > green + 50 > blue + 100
    assert images(run).keys() == {"samples/real", "samples/raw"}


def test_without_classes_a_run_trains_resumes_and_samples(shades, tmp_path):
    flags = (*FOLDER, f"--data.root={shades / 'dark'}", "--data.size=8")
    whole, parts = fit(tmp_path / "whole", *flags, steps=5), fit(tmp_path / "parts", *flags, steps=3)
    assert checkpoint(whole)["hyper_parameters"]["num_classes"] == 0
    assert gan("resume", parts, "--trainer.max_steps=5") == 0
    same_end(whole, parts)
    assert gan("sample", parts, "--out", tmp_path / "a.png") == 0


def test_default_settings_measure_without_an_evaluator(shades, tmp_path, capsys):
    words = (*TINY["MLPGAN"], *SMALL, *FOLDER[1:], f"--data.root={shades}", "--data.size=8")
    run = tmp_path / "run"
    flags = ("--evaluation.every_n_steps=1", "--checkpoints.every_n_steps=1", "--trainer.max_steps=3", f"--run={run}")
    assert gan("fit", *words, *flags) == 0
    out, err = capsys.readouterr()
    assert err == "" or "error" not in err
    assert re.search(r"^swd +\d", out, re.MULTILINE)
    assert [(row["step"], row["score"], row["extractor"]) for row in rows(run)] == [
        *((step, "swd", "none") for step in (1, 2, 3, 3)),
    ]
    best = min(rows(run)[:3], key=lambda row: row["swd"])["step"]
    assert list(Run(run).saved("best")) == [best]
    assert gan("evaluate", run, "--checkpoint=best") == 0
    assert gan("evaluate", run, "--metrics=fid") == 2
    assert "names no extractor, so no features are compared; train one with gan evaluator" in error_line(
        capsys.readouterr().err
    )


def test_a_folder_that_changed_is_refused_on_resuming(shades, tmp_path, capsys):
    root = tmp_path / "shades"
    (root / "only").mkdir(parents=True)
    for i, path in enumerate(sorted((shades / "dark").iterdir())):
        (root / "only" / f"{i:02}{path.suffix}").write_bytes(path.read_bytes())
    run = fit(tmp_path / "run", *FOLDER, f"--data.root={root}", "--data.size=8", steps=2)
    names = sorted((root / "only").iterdir())
    names[0].rename(names[0].with_name("other.png"))
    capsys.readouterr()
    assert gan("resume", run, "--trainer.max_steps=4") == 2
    assert f"other images than these: pictures changed under {root}" in error_line(capsys.readouterr().err)
    (root / "only" / "other.png").rename(names[0])
    assert gan("resume", run, "--trainer.max_steps=4") == 0


def test_a_size_that_a_network_cannot_make_is_one_line(shades, tmp_path, capsys):
    words = (*TINY["DCGAN"], *FOLDER[1:], f"--data.root={shades}", "--data.size=30", f"--run={tmp_path / 'run'}")
    assert gan("fit", *words) == 2
    assert "cannot make 30×30 images" in error_line(capsys.readouterr().err)


@pytest.mark.parametrize("command", [("fit", "--model=MLPGAN", "--data.name=folder", "--run=run"), ("data", "folder")])
def test_a_folder_without_pictures_is_one_line(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b")
    assert gan(*command, "--data.root=.") == 2
    assert "no pictures in it (1 other files)" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_mnists_folder_is_one_line(mnist_root, capsys):
    assert gan("data", "folder", f"--data.root={mnist_root}") == 2
    assert "no pictures in it" in error_line(capsys.readouterr().err)
