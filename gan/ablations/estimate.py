"""How long a sweep will take, and how much it will keep: from its own finished runs, or from a few steps made now."""

import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from gan.ablations.planning import Task
from gan.runs.config import laid_over
from gan.runs.fit import fit
from gan.runs.reader import Run

STEPS, WINDOW = 60, 10  # generator updates of a trial, and over how many its speed is taken
MOST_TRIALS = 6  # arms that are tried out; others are taken to be like them


class Cost(NamedTuple):
    """What runs cost."""

    seconds: float
    size: float  # bytes that stay


def cost_of(tasks: Sequence[Task], threads: int | None) -> Cost:
    """Return the cost of all tasks, one after another."""
    known: dict[Path, Cost] = {}
    for task in tasks:
        place = _place(task)
        if place not in known and (made := _finished(task)):
            known[place] = _mean(made)
    others = {_place(task): task for task in tasks if _place(task) not in known}
    for place, task in list(others.items())[:MOST_TRIALS]:
        known[place] = _tried(task, threads)
    typical = _mean(list(known.values()))
    costs = [known.get(_place(task), typical) for task in tasks]
    return Cost(
        sum(cost.seconds for cost in costs), sum(cost.size * len(t.seeds) for cost, t in zip(costs, tasks, strict=True))
    )


def _place(task: Task) -> Path:
    return task.runs[0].parent


def _mean(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.mean(values) for values in zip(*costs, strict=True)))


def _finished(task: Task) -> list[Cost]:
    """Return what each finished run of the task's arm cost, if it was made in one go."""
    found = []
    for run in map(Run, _place(task).glob("seed_*")):
        record = run.record
        if record and record.state == "finished" and len(run.provenance) == 1:
            began, ended = (datetime.fromisoformat(at).timestamp() for at in (record.started, record.heartbeat))
            size = sum(file.stat().st_size for file in run.directory.rglob("*") if file.is_file())
            found.append(Cost(ended - began, size))
    return found


def _tried(task: Task, threads: int | None) -> Cost:
    """Return what a run of the task would cost, from a few steps with and without a measurement and a picture."""
    with tempfile.TemporaryDirectory() as place:
        plain, whole = Path(place) / "plain", Path(place) / "whole"
        without = _trial(task, threads, plain, {name: {"every_n_steps": 0} for name in ("evaluation", "image_grid")})
        rates = Run(plain).scalars()["throughput/steps_per_second"].values()
        measuring = {"image_grid": {"every_n_steps": STEPS}}
        if task.tree["evaluation"]["every_n_steps"]:
            measuring["evaluation"] = {"every_n_steps": STEPS}  # one on held-out images, and one on test images
        measured = _trial(task, threads, whole, measuring)
        steps = task.steps
        times = {name: _times(task, name) for name in ("evaluation", "image_grid", "scalars")}
        seconds = without + (steps - STEPS) / statistics.median(rates)
        seconds += max(0.0, measured - without) / 2 * (times["evaluation"] + 1)
        size = _bytes(whole, "events*") / (STEPS / WINDOW) * times["scalars"]
        size += 2 * _bytes(whole, "samples/step*") * times["image_grid"]  # a file, and in the events
        if task.keep == "all":
            size += 3 * _bytes(whole, "checkpoints/last*")
        if task.keep != "none":
            size += _bytes(whole, "checkpoints/*.safetensors") * len(task.tree["checkpoints"]["milestones"] or ())
    return Cost(seconds, size)


def _trial(task: Task, threads: int | None, run: Path, sections: Mapping[str, Any]) -> float:
    """Make a few steps in a directory. Return the seconds that it took."""
    short: dict[str, Any] = {
        "trainer": {"max_steps": STEPS, "enable_progress_bar": False},
        "scalars": {"every_n_steps": WINDOW},
    }
    short |= {"checkpoints": {"every_n_steps": 0, "milestones": [STEPS]}}
    given = laid_over(laid_over({k: v for k, v in task.given.items() if k != "copies"}, short), dict(sections))
    before = time.monotonic()
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        fit(task.config, **given, threads=threads, run=run, alone=True, allow_import=task.allow_import)
    return time.monotonic() - before


def _times(task: Task, section: str) -> int:
    """Return how often a run does what a section is about."""
    every = task.tree[section]["every_n_steps"]
    return task.steps // every if every else 0


def _bytes(run: Path, pattern: str) -> int:
    return sum(file.stat().st_size for file in run.glob(pattern))
