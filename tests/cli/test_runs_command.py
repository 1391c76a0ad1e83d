"""`gan runs` and `gan diff`: runs are read, not trained here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from run_support import error_line, gan, resolved
from test_cli import QUICK

from gan.runs.status import FILE, Life

NAMES = ("base", "uniform", "killed", "old", "damaged")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Five runs in all states, but without weights."""
    place = tmp_path_factory.mktemp("runs")
    for name in NAMES:
        flags = ["--model.recipe.prior=uniform"] if name == "uniform" else []
        (place / name / "checkpoints").mkdir(parents=True)
        tree = resolved("--model=MLPGAN", f"--run={place / name}", "--seed_everything=2", *flags)
        (place / name / "config.yaml").write_text(yaml.safe_dump(tree))
        if name != "old":
            Life(place / name).begin(0)
        else:
            (place / name / "checkpoints" / "last_step_0000007.ckpt").write_bytes(b"")
    for name, end in (("base", ("finished", 20)), ("uniform", ("stopped", 10, "signal SIGTERM"))):
        life = Life(place / name)
        life.begin(0)
        life.end(*end)
    best = {"step": 5, "role": "selection", "fid": 31.5}
    (place / "uniform" / "metrics.jsonl").write_text(json.dumps(best) + "\n")
    (place / "base" / "metrics.jsonl").write_text(f"{json.dumps(best)}\n{json.dumps({**best, 'role': 'report'})}\n")
    (place / "damaged" / FILE).write_text("{")
    (place / "no_run").mkdir()
    (place / "no_run" / "config.yaml").write_text("mine: true")
    return place


def test_runs_lists_how_each_is_and_what_differs(runs, capsys):
    assert gan("runs", runs) == 0
    head, *lines, counts = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "status", "step", "FID", "differs"]
    cells = {line.split()[0]: line for line in lines}
    assert cells.keys() == set(NAMES)
    assert cells["base"].split() == ["base", "finished", "20", "31.500", "recipe.prior.name=normal"]
    assert cells["uniform"].split()[:5] == ["uniform", "stopped", "(signal", "SIGTERM)", "10"]
    assert "31.500 (held-out)" in cells["uniform"]
    assert cells["uniform"].endswith("recipe.prior.name=uniform recipe.prior.bound=1.0")
    assert cells["killed"].split()[:3] == ["killed", "killed", "0"]
    assert cells["old"].split()[:3] == ["old", "stopped", "7"]
    assert "unreadable" in cells["damaged"]
    assert max(map(len, cells.values())) < 200
    assert sorted(counts.split(", ")) == ["1 finished", "1 killed", "1 unreadable", "2 stopped", "5 runs"]


def test_runs_as_json(runs, capsys):
    assert gan("runs", runs, "--json") == 0
    found = {line["run"]: line for line in json.loads(capsys.readouterr().out)}
    assert found["uniform"]["reason"] == "signal SIGTERM"
    assert FILE in found["damaged"]["reason"]
    assert (found["uniform"]["score"], found["uniform"]["images"]) == (31.5, "held-out")
    assert found["base"]["differs"]["model.init_args.recipe.prior.name"] == "normal"


def test_diff_shows_the_values_that_differ_side_by_side(runs, capsys):
    assert gan("diff", runs / "base", runs / "uniform") == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == [str(runs / "base"), str(runs / "uniform")]
    assert [line.split() for line in lines] == [
        ["recipe.prior.name", "normal", "uniform"],
        ["recipe.prior.bound", "null", "1.0"],
    ]
    assert gan("diff", runs / "base", runs / "old") == 0
    assert capsys.readouterr().out == "the two configurations are the same\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["runs", "nowhere"], "nowhere: no such directory"),
        (["diff", "nowhere", "."], "nowhere: not a run"),
        (["diff", "nowhere"], "gan diff --help"),
        (["runs", ".", "--jsno"], "--jsno"),
    ],
)
def test_mistakes_are_one_line(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gan(*words) == 2
    assert says in error_line(capsys.readouterr().err)


def test_a_table_of_nothing(tmp_path, capsys):
    assert gan("runs", tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 runs"


@pytest.mark.parametrize("words", [("runs", "."), ("diff", "base", "uniform")])
def test_both_answer_without_torch(words, runs):
    done = subprocess.run([sys.executable, "-c", QUICK, *words], capture_output=True, text=True, cwd=runs)
    assert done.returncode == 0, done.stderr
    assert "prior" in done.stdout
