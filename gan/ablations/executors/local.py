"""Makes runs on this machine: a process for each, with a share of the cores, or of the GPUs."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from types import FrameType
from typing import Any, NamedTuple

from gan.ablations.claims import DONE, is_made_elsewhere, is_settled, last_move, record_failure, state_of
from gan.ablations.executors import ELSEWHERE, HANGS_AFTER, SIGNALS, TRIES, Tell, signals
from gan.ablations.planning import Task
from gan.ablations.worker import TAKEN, carry_out
from gan.base import cores

PRELOADED = "gan.ablations.executors.preloaded"
POLL = 1.0  # seconds between two looks at workers, and at runs that others make
DISK_IS_FULL = 4  # exit code of a run


class Slot(NamedTuple):
    """A worker's share of the machine."""

    threads: int
    device: str | None = None  # of a GPU, as CUDA_VISIBLE_DEVICES names it


def slots_of(
    workers: int | None = None, threads: int | None = None, per_gpu: int = 1, devices: Sequence[str] = ()
) -> list[Slot]:
    """Return the shares of the machine: `per_gpu` workers for each device, or as many workers as cores.

    The cores are divided among the workers.
    """
    places: list[str | None] = [device for _ in range(per_gpu) for device in devices]
    usable = cores.usable()
    places = places or [None] * (workers or max(1, usable // (threads or 1)))
    places = places[:workers]
    return [Slot(threads or max(1, usable // len(places)), place) for place in places]


def visible_devices() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (named or [str(number) for number in range(count)])[:count]


@dataclass
class _Work:
    """A task that is being carried out."""

    task: Task
    slot: Slot
    process: Any
    began: float = field(default_factory=time.time)
    hung: bool = False


class Local:
    """Carries tasks out in worker processes. `work` makes one run and returns its exit code."""

    def __init__(
        self,
        slots: Sequence[Slot],
        hangs_after: float = HANGS_AFTER,
        work: Callable[[Task, int | None], int] = carry_out,
    ) -> None:
        self.slots, self.hangs_after, self.work = list(slots), hangs_after, work
        self.context: Any = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([PRELOADED])

    def carry_out(self, tasks: Sequence[Task], tell: Tell) -> int:
        """Carry out the tasks. A signal stops all runs at the end of an update; a second one kills them."""
        self.tell, self.free = tell, deque(self.slots)
        self.queue, self.elsewhere = deque(tasks), list[Task]()
        self.running: list[_Work] = []
        self.tries: Counter[str] = Counter()
        self.stopped_by, self.full = 0, False
        with signals(self._stop):
            try:
                while self.running or ((self.queue or self.elsewhere) and not self.stopped_by):
                    self._start()
                    self._wait()
                    self._look()
            finally:
                for work in self.running:
                    work.process.kill()
        return DISK_IS_FULL if self.full else self.stopped_by and 128 + self.stopped_by

    def _start(self) -> None:
        while self.free and self.queue and not self.stopped_by:
            task = self.queue.popleft()
            if is_settled(task):
                self.tell(task, state_of(task.directory, task.runs))
                continue
            if is_made_elsewhere(task):
                self._wait_for(task)
                continue
            slot = self.free.popleft()
            process = self.context.Process(target=_worker, args=(self.work, task, slot), name=task.name)
            process.start()
            self.running.append(_Work(task, slot, process))
            self.tell(task, "started")

    def _wait(self) -> None:
        connection.wait([work.process.sentinel for work in self.running], POLL) if self.running else time.sleep(POLL)

    def _look(self) -> None:
        for work in list(self.running):
            if not work.process.is_alive():
                self.running.remove(work)
                self.free.append(work.slot)
                self._ended(work)
            elif time.time() - max(work.began, last_move(work.task)) > self.hangs_after:
                work.hung = True
                work.process.kill()
        for task in list(self.elsewhere):
            if not is_made_elsewhere(task):
                self.elsewhere.remove(task)
                self.queue.append(task)

    def _ended(self, work: _Work) -> None:
        task, code = work.task, work.process.exitcode
        work.process.join()
        if code == TAKEN:
            self._wait_for(task)
        elif code < 0 and not self.stopped_by and state_of(task.directory, task.runs) not in DONE:
            self._killed(work, "hung" if work.hung else f"killed by {_name(-code)}")
        elif code == DISK_IS_FULL:
            self.tell(task, "stopped by the disk")
            self.full = True
            if not self.stopped_by:
                self._stop(signal.SIGTERM)
        else:
            self.tell(task, state_of(task.directory, task.runs))

    def _wait_for(self, task: Task) -> None:
        self.elsewhere.append(task)
        self.tell(task, ELSEWHERE)

    def _killed(self, work: _Work, how: str) -> None:
        self.tries[work.task.name] += 1
        if self.tries[work.task.name] < TRIES:
            self.queue.append(work.task)
            self.tell(work.task, f"{how}; it is tried again")
        else:
            record_failure(work.task, f"{how}, {TRIES} times")
            self.tell(work.task, "failed")

    def _stop(self, number: int, frame: FrameType | None = None) -> None:
        for work in self.running:
            work.process.kill() if self.stopped_by else work.process.terminate()
        self.stopped_by = self.stopped_by or number


def _name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _worker(work: Callable[[Task, int | None], int], task: Task, slot: Slot) -> None:
    """Run in a process of its own: it hears no Ctrl-C of the terminal, and stops when the sweep's process has gone."""
    os.setsid()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    if slot.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot.device
    threading.Thread(target=_stop_with_the_sweep, daemon=True).start()
    sys.exit(work(task, slot.threads))


def _stop_with_the_sweep() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
