"""Kill -9 of a worker, of a sweep or of all its processes, at random moments: the rows are those of a quiet sweep."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from run_support import same_run
from sweep_support import BASE, TREE

from gan.ablations.places import sweep_runs
from gan.runs.yaml_files import to_yaml

pytestmark = pytest.mark.slow
KILLS = 9
MEASURED = {
    **BASE,
    "scalars": {"every_n_steps": 50},
    "evaluation": {"every_n_steps": 200, "num_samples": 50},
    "image_grid": {"every_n_steps": 200, "num_images": 12},
    "checkpoints": {"every_n_steps": 40},
}


def start(manifest: Path, runs: Path, *flags: str) -> subprocess.Popen:
    """A real `gan sweep`, in the environment of one of an allocation's processes."""
    words = [sys.executable, "-m", "gan", "sweep", str(manifest), f"--runs={runs}", "--workers=2", *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SLURM_PROCID": "3", "SLURM_NTASKS": "8"}
    with (runs.parent / "sweeps.log").open("ab") as log:
        return subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)


def descendants(pid: int) -> list[int]:
    """All processes that come of one, itself last."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = stat.parent.name, stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(rest[1]), []).append(int(number))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found[::-1]


def leads_a_session(pid: int) -> bool:
    """Whether a process has left its terminal, as workers do."""
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_killed_sweeps_end_in_the_rows_of_a_quiet_one(tmp_path):
    manifest, dice = tmp_path / "tiny.yaml", random.Random(int(os.environ.get("GAN_TEST_SEED", "1")))
    manifest.write_text(to_yaml({**TREE, "base": MEASURED, "budgets": {"full": 600}}))
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    assert start(manifest, quiet).wait(timeout=500) == 0
    running = []
    for number in range(KILLS):
        running = [one for one in running if one.poll() is None]
        while len(running) < 1 + number % 2:  # every other time two at once
            running.append(start(manifest, killed))
        victim = dice.choice(running)
        until = time.monotonic() + 60
        while len(descendants(victim.pid)) < 4 and victim.poll() is None and time.monotonic() < until:
            time.sleep(0.1)  # the sweep, its two helpers, a worker
        time.sleep(dice.uniform(0, 4))
        family = descendants(victim.pid)
        whom = ("worker", "sweep", "all")[number % 3]
        workers = [pid for pid in family[:-1] if leads_a_session(pid)]
        kill({"worker": workers[:1], "sweep": [victim.pid], "all": family}[whom])
    for one in running:
        one.wait(timeout=500)
    assert start(manifest, killed, "--retry-failed").wait(timeout=500) == 0  # a run may have been killed twice
    _, first = sweep_runs(quiet / "tiny")
    _, second = sweep_runs(killed / "tiny")
    assert {arm: list(runs) for arm, runs in first.items()} == {"normal": [1, 2], "uniform": [1, 2]}
    for arm, runs in first.items():
        for seed, run in runs.items():
            same_run(run.directory, second[arm][seed].directory)
            assert list(run.directory.glob("events.out.tfevents.*"))
    assert not list(killed.rglob("*.failed.json"))
