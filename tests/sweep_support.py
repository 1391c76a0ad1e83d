"""Tiny sweeps: a manifest of two arms, its tasks, and their carrying out in this process."""

import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

from support import tiny_change

from gan.ablations.design import Origin
from gan.ablations.executors.local import Local, Slot
from gan.ablations.manifest import Manifest, manifest_of
from gan.ablations.planning import Task, tasks_of
from gan.ablations.sweep import enter, sweep

BASE: dict[str, Any] = {
    "model": {"class_path": "MLPGAN", "recipe": tiny_change("MLPGAN")},
    "data": {"source": "embedded"},
    "trainer": {"enable_progress_bar": False},
    **{section: {"every_n_steps": 0} for section in ("scalars", "image_grid", "evaluation")},
}
TREE: dict[str, Any] = {
    "question": "Is uniform noise as good as normal noise?",
    "base": BASE,
    "arms": {"normal": {}, "uniform": {"prior": "uniform"}},
    "seeds": "1-2",
    "budgets": {"full": 6, "short": 3},
    "keep": "all",
}


class Forked(Local):
    """Forks its workers from this process, which has imported everything: the server of a sweep takes seconds to."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.context = multiprocessing.get_context("fork")


def tiny_manifest(name: str = "tiny", **change: Any) -> Manifest:
    """The manifest with some of its keys changed."""
    return manifest_of({**TREE, **change}, name, Origin("tiny.yaml"))


def tasks(place: Path, manifest: Manifest | None = None, **settings: Any) -> list[Task]:
    """The tasks of a sweep that has been entered."""
    manifest = enter(manifest or tiny_manifest(), place)
    return tasks_of(manifest, place, **settings)


def swept(place: Path, manifest: Manifest | None = None, workers: int = 2, **settings: Any) -> Counter[str]:
    """Carry a sweep out; how many runs are in each state."""
    code, counts = sweep(tasks(place, manifest, **settings), Forked([Slot(1)] * workers))
    assert code == 0
    return counts
