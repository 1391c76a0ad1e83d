"""How many threads a run computes with: resolved once, recorded, and the same in all its processes."""

import os
from typing import NamedTuple

import pytorch_lightning as pl
import torch

from gan.base import cores
from gan.base.notes import say
from gan.engine.game import AdversarialModule
from gan.runs.reader import Run
from gan.runs.small import forward_flop

GRAIN = 0.25e9  # FLOP of a step's forward passes that a further thread is worth: docs/running.md, Threads
CROWDED = 2  # threads where no core is free


class Threads(NamedTuple):
    """A number of threads, and why."""

    number: int
    why: str


def threads_of(given: int | None, module: AdversarialModule, trainer: pl.Trainer, copies: int = 1) -> Threads:
    """Return the threads that are given, or OMP_NUM_THREADS, or what fits the machine and the step.

    The processes of the run on this machine share its cores. A step of several `copies` is that of all of them.
    """
    if given is not None:
        return Threads(given, "as given")
    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if said.isdecimal() and int(said):
        return Threads(int(said), "OMP_NUM_THREADS")
    usable, free = cores.usable(), cores.free()
    try:
        enough = max(1, int(copies * forward_flop(module) / trainer.world_size / GRAIN))
    except Exception:  # networks from elsewhere that need further inputs
        enough = usable
    share = round(free / trainer.num_devices) or min(CROWDED, usable)
    busy = "" if usable - free < 0.5 else f", {usable - free:.0f} of them busy"
    return Threads(min(enough, max(1, share)), f"{usable} cores{busy}")


def say_if_other(run: Run, count: int) -> None:
    """Say in a line that a run goes on with another number of threads than before."""
    before = run.provenance[-1].get("threads") if run.provenance else None
    if before not in (None, count):
        say(f"note: {run.directory}: {count} threads in place of {before}, so that it does not go on bit for bit")


class Using(pl.Callback):
    """Sets the first process's number of threads in all processes, after Lightning has set one of its own."""

    def __init__(self, number: int) -> None:
        self.number = number

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Set it. Collective."""
        torch.set_num_threads(trainer.strategy.broadcast(self.number))
