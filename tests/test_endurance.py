"""Hours of short runs, resumptions and evaluations leave no memory, handle, thread, process or file behind.

`GAN_ENDURANCE_MINUTES` is how long each of the two tests takes, 60 by default. Both print their figures.
"""

import gc
import os
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_support import SMALL, TINY, gan, process

import gan as package

MINUTES = float(os.environ.get("GAN_ENDURANCE_MINUTES", "60"))
FIT = (*TINY["MLPGAN"], *SMALL, "--data.source=embedded", "--scalars.every_n_steps=5", "--image_grid.every_n_steps=10")
EVALUATION = ("--evaluation.every_n_steps=10", "--evaluation.num_samples=200", "--checkpoints.every_n_steps=10")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(MINUTES * 60 + 600)]


def cycles(minutes: float) -> Iterator[int]:
    """Numbers from 0, until the time is over."""
    end, number = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end or number < 8:
        yield number
        number += 1


def resident() -> float:
    """The memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def in_a_cycle(run: Path) -> dict[str, float]:
    """What this process holds, and how many files a run has, after one run that was resumed, measured and sampled."""
    words = ("fit", *FIT, *EVALUATION, "--trainer.max_steps=20", f"--run={run}")
    assert gan(*words) == 0
    assert gan("resume", run, "--trainer.max_steps=30") == 0
    assert package.evaluate(run, 200)["step"] == 30
    assert package.sample(run, 10).shape[0] == 10
    gc.collect()
    figures = {
        "memory": resident(),
        "handles": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "files": sum(path.is_file() for path in run.rglob("*")),
        "events": len(list(run.glob("events.*"))),
    }
    shutil.rmtree(run)
    return figures


def test_one_process(tmp_path, capsys):
    figures = [in_a_cycle(tmp_path / "run") for _ in cycles(MINUTES)]
    warm = figures[len(figures) // 4 :]  # caches fill in the first cycles
    half = len(warm) // 2
    before, after = (statistics.median(row["memory"] for row in part) for part in (warm[:half], warm[half:]))
    with capsys.disabled():
        print(f"\n{len(figures)} cycles; MiB {figures[0]['memory']:.0f} at first, {before:.0f} and {after:.0f} in the")
        print(f"two later parts; last: {figures[-1]}")
    assert after - before < 10, "MiB"
    for name in ("handles", "threads", "files", "events"):
        assert len({row[name] for row in warm}) == 1, name


def test_many_processes(tmp_path, monkeypatch, capsys):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    count, files = 0, set()
    for number in cycles(MINUTES):
        run = tmp_path / f"run_{number}"
        for words in (
            ("fit", *FIT, *EVALUATION, "--trainer.max_steps=20", f"--run={run}"),
            ("resume", run, "--trainer.max_steps=30"),
            ("evaluate", run, "--num=200"),
        ):
            code, _, err = process(*words)
            assert code == 0, err
            count += 1
        files.add(sum(path.is_file() for path in run.rglob("*")))
        shutil.rmtree(run)
    with capsys.disabled():
        print(f"\n{count} processes; files of a run: {files}; left in $TMPDIR: {len(list(temporary.iterdir()))}")
    assert len(files) == 1
    assert not list(temporary.iterdir())
