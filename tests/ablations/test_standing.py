"""How a sweep stands, and the scores of its runs, from directories written by hand."""

import json
import math
import resource
import time
from pathlib import Path

import pytest
from sweep_support import tiny_manifest

from gan.ablations.places import place_of, sweep_runs
from gan.ablations.scores import measured, score_of
from gan.ablations.standing import counts, standings
from gan.runs.reader import Run

STATUS = {"reason": None, "pid": 2**22, "host": "elsewhere", "phase": "training"}
TIMES = {"started": "2030-01-01T10:00:00+00:00", "heartbeat": "2030-01-01T11:00:00+00:00"}


def write_run(directory: Path, state: str = "finished", step: int = 6, rows=(), reason=None) -> Run:
    """A run's status and rows, as training leaves them. `rows`: (role, step, fid)."""
    directory.mkdir(parents=True, exist_ok=True)
    status = {**STATUS, **TIMES, "state": state, "step": step, "reason": reason}
    (directory / "status.json").write_text(json.dumps(status))
    lines = [json.dumps({"role": role, "step": at, "fid": fid}) for role, at, fid in rows]
    (directory / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return Run(directory)


def test_each_run_is_told_by_its_directory(tmp_path):
    manifest = tiny_manifest(seeds="1-5")
    states = {1: "finished", 2: "diverged", 3: "stopped", 4: "running"}
    for seed, state in states.items():
        write_run(place_of(tmp_path, "normal", "", seed), state, step=seed)
    write_run(place_of(tmp_path, "uniform", "", 1), "failed", reason="ValueError: no")
    (tmp_path / "uniform" / "seed_2.failed.json").write_text('{"reason": "killed by SIGKILL, 2 times"}')
    (tmp_path / "uniform" / "seed_3").mkdir()
    (tmp_path / "uniform" / "seed_3" / "status.json").write_text("{")
    found = {standing.run: standing for standing in standings(manifest, tmp_path)}
    told = [found[f"normal/seed_{seed}"].state for seed in range(1, 6)]
    assert told == ["finished", "diverged", "stopped", "killed", "waiting"]  # its process is gone
    assert found["uniform/seed_1"].note == "ValueError: no"
    assert (found["uniform/seed_2"].state, found["uniform/seed_2"].note) == ("failed", "killed by SIGKILL, 2 times")
    assert found["uniform/seed_3"].state == "unreadable"
    assert counts(list(found.values()))["uniform"] == {"failed": 2, "unreadable": 1, "waiting": 2}


def test_a_thousand_runs_are_told_within_seconds(tmp_path):
    manifest = tiny_manifest(arms={f"arm_{n}": {"latent_dim": n} for n in range(1, 201)}, seeds="1-5")
    run = write_run(tmp_path / "run").directory
    for name in manifest.arms:
        (tmp_path / name).mkdir()
        for seed in manifest.seeds:
            place_of(tmp_path, name, "", seed).symlink_to(run)
    began = time.process_time()
    assert len(standings(manifest, tmp_path)) == 1000
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2e6  # kilobytes, of all tests so far


ROWS = [("selection", 2, 9.0), ("selection", 4, 4.0), ("selection", 6, 16.0), ("report", 6, 12.0)]


@pytest.mark.parametrize(
    ("score", "value"),
    [("final", 12), ("best", 4), ({"mean_of_last": 2}, 8), ({"mean_of_last": 4}, math.nan)],
)
def test_scores(score, value, tmp_path):
    run, manifest = write_run(tmp_path, rows=ROWS), tiny_manifest(score=score)
    assert score_of(run, manifest) == pytest.approx(value, nan_ok=True)
    bounded = tiny_manifest(score=score, failure={"fid_above": 3})
    assert score_of(run, bounded) == pytest.approx(math.nan if math.isnan(value) else math.inf, nan_ok=True)
    assert measured(run, bounded) == pytest.approx(value, nan_ok=True)


def test_a_run_fails_by_a_class_that_is_nearly_missing(tmp_path):
    rows = [
        {"role": role, "step": 6, "fid": 12.0, "min_class_share": share}
        for role, share in (("selection", 0.0), ("report", 0.05))
    ]
    run = write_run(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert score_of(run, tiny_manifest(failure={"class_share_below": 0.05})) == 12
    assert score_of(run, tiny_manifest(failure={"class_share_below": 0.051})) == math.inf


@pytest.mark.parametrize(
    ("state", "rows", "value"),
    [
        ("failed", ROWS, math.inf),
        ("diverged", ROWS, math.inf),
        ("stopped", ROWS[:2], math.nan),
        ("finished", [("report", 6, None)], math.inf),  # a FID that is not finite
        ("finished", [], math.nan),  # nothing was measured
    ],
)
def test_a_failure_is_infinite_and_what_is_not_known_is_no_number(state, rows, value, tmp_path):
    assert score_of(write_run(tmp_path, state, rows=rows), tiny_manifest()) == pytest.approx(value, nan_ok=True)


def test_a_run_may_be_read_at_a_step(tmp_path):
    manifest = tiny_manifest(arms={"at_4": {"step": 4}, "at_6": {"step": 6}, "at_5": {"step": 5}}, seeds=[1])
    write_run(place_of(tmp_path, "at_4", "", 1), "stopped", rows=ROWS)
    manifest.write(tmp_path)
    _, runs = sweep_runs(tmp_path)
    scores = {name: score_of(runs[name][1], manifest, arm) for name, arm in manifest.arms.items()}
    assert (scores["at_4"], scores["at_6"]) == (4, 16)
    assert math.isnan(scores["at_5"])


def test_of_a_grid_inside_an_arm_the_best_on_held_out_images_counts(tmp_path):
    manifest = tiny_manifest(arms={"a": {}, "b": {"prior": "uniform", "grid": {"d_steps": [1, 2, 3]}}}, seeds=[1, 2])
    fids = {"d_steps=1": (8, 8), "d_steps=2": (2, 9), "d_steps=3": (1, None)}  # the last one has diverged once
    for point, both in fids.items():
        for seed, fid in enumerate(both, start=1):
            state = "finished" if fid else "diverged"
            rows = [("selection", 6, fid), ("report", 6, 100)]
            write_run(place_of(tmp_path, "b", point, seed), state, rows=rows)
    manifest.write(tmp_path)
    _, runs = sweep_runs(tmp_path)
    assert {run.directory.parent.name for run in runs["b"].values()} == {"d_steps=2"}
    assert runs["a"] == {}
