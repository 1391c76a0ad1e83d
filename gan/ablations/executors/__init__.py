"""Where the runs of a sweep are made: on this machine, by SLURM, or on a Ray cluster."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from gan.ablations.planning import Task

Tell = Callable[[Task, str], None]  # called with a task and what became of it: its state, or another word
TRIES = 2  # of a run whose process is killed or hangs; a run that raises an error is tried once
HANGS_AFTER = 1800.0  # seconds without a step or a new phase
ELSEWHERE = "made by another process, which is waited for"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Executor(Protocol):
    """Has tasks carried out."""

    def carry_out(self, tasks: Sequence[Task], tell: Tell) -> int:
        """Return the exit code of what stopped the sweep, a signal or the disk, or 0. What becomes of tasks is told."""
        ...


@contextmanager
def signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within it, a signal that is not ignored calls the handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number, old in before.items() if old is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
