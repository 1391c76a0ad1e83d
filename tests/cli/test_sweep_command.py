"""The words of `gan sweep`."""

import re
import shlex

import pytest
from run_support import DATA, QUIET, TINY, error_line, gan, resolved
from sweep_support import Forked

from gan.ablations.executors import local
from gan.ablations.manifest import read_manifest
from gan.runs.reader import read_run

GRID = ("--grid", "prior=normal,uniform", "latent_dim=8", "--seeds=3", "--name=quick", "--budget=2")
QUICK = (*TINY["MLPGAN"], *DATA, *QUIET, *GRID, "--trainer.enable_progress_bar=false")


@pytest.fixture(autouse=True)
def forked_workers(monkeypatch):
    monkeypatch.setattr(local, "Local", Forked)


def test_a_grid_is_made_from_the_words_and_stands(tmp_path, capsys):
    words = (*QUICK, f"--runs={tmp_path}")
    assert gan("sweep", *words, "--print-commands") == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert not (tmp_path / "quick").exists()
    assert gan("sweep", *words) == 0
    assert f"{tmp_path / 'quick'}: 2 finished" in capsys.readouterr().out
    runs = sorted((tmp_path / "quick").glob("*/seed_*/"))
    assert [f"{run.parent.name}/{run.name}" for run in runs] == [
        f"prior={prior},latent_dim=8/seed_3" for prior in ("normal", "uniform")
    ]
    assert read_run(runs[1]).recipe["prior"]["name"] == "uniform"
    assert len(list(runs[0].glob("checkpoints/*"))) == 1  # a snapshot of the generator
    for line in lines:  # each is the line of gan fit that makes such a run
        assert line[:2] == ["gan", "fit"]
        tree = resolved(*(word for word in line[2:] if word not in ("--resume", "--alone")))
        recorded = read_run(tree["run"]).config
        assert {key: recorded[key] for key in ("model", "seed_everything")} == {
            key: tree[key] for key in ("model", "seed_everything")
        }
        assert recorded["trainer"]["max_steps"] == tree["trainer"]["max_steps"] == 2
    assert gan("sweep", tmp_path / "quick", "--status") == 0
    assert re.search(r"^all +2$", capsys.readouterr().out, re.MULTILINE)
    assert gan("sweep", tmp_path / "quick", "--dry-run", "--seeds=3") == 0
    out = capsys.readouterr().out
    assert "nothing is left to do" in out
    assert "(sigma 0.2)" in out
    manifest = read_manifest(tmp_path / "quick")
    assert (manifest.steps, manifest.seeds, manifest.baseline) == (2, (3,), "prior=normal,latent_dim=8")


def test_a_manifest_takes_flags_and_a_budget(tmp_path, capsys):
    words = ("gradient_norms", "--budget=short", f"--runs={tmp_path}", *DATA, "--seeds=7", "--print-commands")
    assert gan("sweep", *words) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "--trainer.max_steps=100 " in first
    assert f"--run={tmp_path}/gradient_norms_short/minimax/seed_7" in second
    assert gan("sweep", *words, "--shard=2/2") == 0
    assert capsys.readouterr().out.splitlines() == [second]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["priers"], "did you mean 'priors'?"),
        (["--name=a"], "give a manifest, or --config NAME --grid"),
        ([*QUICK, "--grid", "prior"], "must be KEY=VALUE,VALUE"),
        ([*QUICK[:-1], "--grid", "prior=unifrm"], "unknown name 'unifrm'; did you mean 'uniform'?"),
        ([*QUICK, "--seeds=x"], "seeds must be a text such as 1-5"),
        ([*QUICK, "--shard=9/8"], "--shard must be a share such as 3/8"),
        ([*QUICK, "--executor=cloud"], "--executor must be one of local, slurm, ray"),
        ([*QUICK, "--run=x"], "--run is for one run"),
        ([*QUICK, "--workers=0"], "--workers must be a whole number"),
        (["priors", "--budget=long"], "--budget must be full, short or a number"),
        (["priors", "--status"], "no sweep has begun there"),
        (["priors", "--grid", "a=b"], "--grid makes a manifest, and priors is one"),
    ],
)
def test_mistakes_are_one_line(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gan("sweep", *words) == 2
    assert says in error_line(
        "\n".join(line for line in capsys.readouterr().err.splitlines() if "embedded" not in line)
    )
    assert not list(tmp_path.rglob("seed_*"))
