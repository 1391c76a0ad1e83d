"""`gan sample` and `gan evaluate` on a trained run."""

import json
import math
import re
import shutil
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image
from run_support import error_line, fit, gan, rows
from run_support import real_statistics_once as real_statistics_once

import gan as package
from gan.measure.protocol import Protocol


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    flags = ("--evaluation.every_n_steps=2", "--evaluation.num_samples=60", "--model.recipe.generator_optimizer.lr=0.5")
    flags = (*flags, "--checkpoints.milestones=[1]")
    return fit(tmp_path_factory.mktemp("runs") / "run", *flags, steps=2)


def sampled(run, out, *flags):
    assert gan("sample", run, "--out", out, *flags) == 0
    with np.load(out) as file:
        assert file.files == ["images"]
        return file["images"]


def test_samples_are_an_array_of_8_bit_images(run, tmp_path, capsys):
    images = sampled(run, tmp_path / "a.npz", "--num", 100)
    assert images.shape == (100, 28, 28)
    assert images.dtype == np.uint8
    assert images.std() > 0
    assert f"100 images in {tmp_path / 'a.npz'}" in capsys.readouterr().out
    assert np.array_equal(images, package.load(run).sample(100).squeeze(1).numpy())


def test_the_seed_decides_and_fewer_are_a_prefix_of_more(run, tmp_path):
    torch.manual_seed(1)
    many = sampled(run, tmp_path / "a.npz", "--num=1000", "--seed=1")
    torch.manual_seed(2)
    assert np.array_equal(many[:100], sampled(run, tmp_path / "b.npz", "--num=100", "--seed=1"))
    assert not np.array_equal(many[:100], sampled(run, tmp_path / "c.npz", "--num=100", "--seed=2"))


@pytest.mark.parametrize(("num", "rows_"), [(1, 1), (25, 3)])
def test_a_png_is_a_grid(run, num, rows_, tmp_path):
    assert gan("sample", run, f"--num={num}", "--out", tmp_path / "g.png") == 0
    assert Image.open(tmp_path / "g.png").size == (302, rows_ * 30 + 2)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--num=0", "--out=a.npz"], "--num"),
        (["--num=-3", "--out=a.npz"], "--num"),
        (["--num=100000000", "--out=a.npz"], "--num"),
        (["--num=many", "--out=a.npz"], "--num"),
        (["--num=1.5", "--out=a.npz"], "--num"),
        (["--seed=x", "--out=a.npz"], "--seed"),
        (["--out=a.jpg"], ".npz"),
        (["--out=none/a.npz"], "none"),
        (["--out=folder.npz"], "cannot write"),
        (["--out=folder.png"], "cannot write"),
        ([], "--out"),
        (["--nmu=3", "--out=a.npz"], "--nmu"),
        (["--out=a.npz", "stray"], "stray"),
    ],
)
def test_wrong_options_of_sample_are_refused_in_one_line(run, flags, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("folder.npz", "folder.png"):
        (tmp_path / name).mkdir()
    assert gan("sample", run, *flags) == 2
    assert says in error_line(capsys.readouterr().err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.npz", "folder.png"]


def test_evaluate_repeats_the_report_of_the_run(run, tmp_path, capsys):
    assert gan("evaluate", run, "--num=60", "--json", tmp_path / "row.json") == 0
    row = json.loads((tmp_path / "row.json").read_text())
    assert {field.name for field in fields(Protocol)} <= row.keys()
    report = [r for r in rows(run) if r["role"] == "report"]
    of_the_run = {"images_seen", "variant", "recipe", "differs", "training_precision"}
    report = next(r for r in report if r["score"])
    for key in report.keys() - of_the_run - {"step", "seed", "commit"}:
        assert row[key] == report[key], key
    out = capsys.readouterr().out
    assert "step 2, 60 raw fakes against 1,000 test images of mnist (embedded)" in out
    assert re.search(rf"^FID +{row['fid']:.4g} +{row['fid_floor']:.4g} +lower +{row['protocol']}$", out, re.MULTILINE)
    assert (row["step"], row["seed"], row["commit"]) == (report["step"], report["seed"], report["commit"])
    assert row["generator"].endswith("last_step_0000002.ckpt")
    assert len(out.splitlines()) <= 8


def test_a_snapshot_knows_its_step_but_not_the_seed(run, tmp_path):
    (file,) = (run / "checkpoints").glob("generator_step_*.safetensors")
    assert gan("evaluate", file, "--data.source=embedded", "--num=5", "--json", tmp_path / "row.json") == 0
    row = json.loads((tmp_path / "row.json").read_text())
    assert (row["step"], row["seed"]) == (1, None)


def test_the_best_checkpoint_may_be_named(run, tmp_path, capsys):
    (best,) = (run / "checkpoints").glob("best_*.ckpt")
    moved = tmp_path / "run"
    shutil.copytree(run, moved)
    (moved / "checkpoints" / best.name).rename(moved / "checkpoints" / "best_step_0000001.ckpt")
    last = sampled(moved, tmp_path / "a.npz", "--num=5")
    content = torch.load(moved / "checkpoints" / "best_step_0000001.ckpt", weights_only=True)
    for name, tensor in content["state_dict"].items():
        if name.startswith("generator."):
            tensor *= -0.5
    torch.save(content, moved / "checkpoints" / "best_step_0000001.ckpt")
    assert np.array_equal(last, sampled(moved, tmp_path / "b.npz", "--num=5", "--checkpoint=last"))
    assert not np.array_equal(last, sampled(moved, tmp_path / "c.npz", "--num=5", "--checkpoint=best"))
    row = tmp_path / "row.json"
    assert gan("evaluate", moved, "--num=5", "--checkpoint=best", "--json", row) == 0
    assert json.loads(row.read_text())["generator"].endswith("best_step_0000001.ckpt")
    capsys.readouterr()
    for words, says in (((best, "--checkpoint=best"), "is a file"), ((moved, "--checkpoint=beast"), "beast")):
        assert gan("sample", *words, "--out", tmp_path / "d.npz") == 2
        assert says in error_line(capsys.readouterr().err)


@pytest.mark.slow
def test_evaluate_takes_a_checkpoint_and_other_data(run, mnist_root, tmp_path, capsys):
    (file,) = (run / "checkpoints").glob("last_*.ckpt")
    flags = ("--data.root", mnist_root, "--data.source=idx", "--num=20", "--json", tmp_path / "row.json")
    assert gan("evaluate", file, *flags) == 0
    row = json.loads((tmp_path / "row.json").read_text())
    assert (row["source"], row["num_real"]) == ("idx", 10_000)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--num=1"], "--num"),
        (["--num=x"], "--num"),
        (["--json=none/row.json", "--num=5"], "cannot write"),
        (["--data.source=nowhere"], "nowhere"),
        (["--data.source=idx", "--data.root=none"], "none"),
        (["--noise=3"], "--noise"),
    ],
)
def test_wrong_options_of_evaluate_are_refused_in_one_line(run, flags, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gan("evaluate", run, *flags) == 2
    assert says in error_line(capsys.readouterr().err)


def test_a_diverged_generator_is_a_result(run, tmp_path, capsys):
    (file,) = (run / "checkpoints").glob("last_*.ckpt")
    content = torch.load(file, weights_only=True)
    for name, tensor in content["state_dict"].items():
        if name.startswith("generator."):
            tensor.fill_(math.nan)
    torch.save(content, tmp_path / "nan.ckpt")
    assert (
        gan("evaluate", tmp_path / "nan.ckpt", "--data.source=embedded", "--num=5", "--json", tmp_path / "r.json") == 0
    )
    row = json.loads((tmp_path / "r.json").read_text(), parse_constant=lambda word: pytest.fail(word))
    assert row["fid"] is None
    assert row["finite"] is False
    assert re.search(r"^FID +– ", capsys.readouterr().out, re.MULTILINE)
