"""Where the runs of a sweep are made: on this machine, by SLURM, or on a Ray cluster."""

from collections.abc import Callable, Sequence
from typing import Protocol

from gan.ablations.planning import Task

Tell = Callable[[Task, str], None]  # called with a task and what became of it: its state, or another word


class Executor(Protocol):
    """Has tasks carried out."""

    def carry_out(self, tasks: Sequence[Task], tell: Tell) -> int:
        """Return the number of the signal that stopped the sweep, or 0. What became of each task is told."""
        ...
