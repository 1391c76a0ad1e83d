"""Has runs made on a Ray cluster: a core task for each, which asks for its cores and its share of a GPU."""

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from gan.ablations.claims import is_made_elsewhere, is_settled, last_move, record_failure, state_of
from gan.ablations.executors import ELSEWHERE, HANGS_AFTER, TRIES, Tell, signals
from gan.ablations.planning import Task
from gan.ablations.worker import TAKEN, logged
from gan.base.errors import UserError

POLL = 1.0  # seconds between two looks


class Ray:
    """Carries tasks out on a cluster. `settings` are those of `ray.init`; without an address a cluster is made here."""

    def __init__(
        self, settings: Mapping[str, Any], threads: int | None, per_gpu: int = 1, hangs_after: float = HANGS_AFTER
    ) -> None:
        self.settings, self.threads = dict(settings), threads or 1
        self.per_gpu, self.hangs_after = per_gpu, hangs_after

    def carry_out(self, tasks: Sequence[Task], tell: Tell) -> int:
        """Carry out the tasks. A signal stops all runs at the end of an update; a second one kills them."""
        try:
            import ray
        except ImportError:
            raise UserError("--executor ray needs Ray; give pip install 'gan[ray]'") from None
        try:
            ray.init(**{"log_to_driver": False, **self.settings})
        except Exception as error:  # no cluster at the address, an unknown setting
            raise UserError(f"--executor ray: {' '.join(str(error).split())[:300]}; see --set") from error
        try:
            share = 1 / self.per_gpu if ray.cluster_resources().get("GPU") else 0
            self.ray, self.tell, self.tries = ray, tell, Counter[str]()
            self.work = ray.remote(num_cpus=self.threads, num_gpus=share, max_retries=0)(logged)
            self.queue, self.elsewhere = deque(tasks), list[Task]()
            self.running: dict[Any, Task] = {}
            self.stopped_by = 0
            with signals(self._stop):
                while self.running or ((self.queue or self.elsewhere) and not self.stopped_by):
                    self._start()
                    self._look()
            return self.stopped_by and 128 + self.stopped_by
        finally:
            ray.shutdown()

    def _start(self) -> None:
        while self.queue and not self.stopped_by:
            task = self.queue.popleft()
            if is_settled(task):
                self.tell(task, state_of(task.directory, task.runs))
            elif is_made_elsewhere(task):
                self._wait_for(task)
            else:
                self.running[self.work.remote(task, self.threads)] = task

    def _look(self) -> None:
        if self.running:
            ended, _ = self.ray.wait(list(self.running), timeout=POLL)
        else:
            ended = []
            time.sleep(POLL)
        for reference in ended:
            self._ended(self.running.pop(reference), reference)
        for reference, task in self.running.items():
            moved = last_move(task)
            if is_made_elsewhere(task) and time.time() - moved > self.hangs_after:  # it runs, and is not only queued
                self.ray.cancel(reference, force=True)
        for task in [task for task in self.elsewhere if not is_made_elsewhere(task)]:
            self.elsewhere.remove(task)
            self.queue.append(task)

    def _ended(self, task: Task, reference: Any) -> None:
        try:
            if self.ray.get(reference) == TAKEN:
                self._wait_for(task)
                return
        except self.ray.exceptions.RayError as error:  # its worker was killed, or its machine has gone
            if not self.stopped_by and not is_settled(task):
                self._lost(task, type(error).__name__)
                return
        self.tell(task, state_of(task.directory, task.runs))

    def _lost(self, task: Task, how: str) -> None:
        self.tries[task.name] += 1
        if self.tries[task.name] < TRIES:
            self.queue.append(task)
            self.tell(task, f"{how}; it is tried again")
        else:
            record_failure(task, f"{how}, {TRIES} times")
            self.tell(task, "failed")

    def _wait_for(self, task: Task) -> None:
        self.elsewhere.append(task)
        self.tell(task, ELSEWHERE)

    def _stop(self, number: int, frame: FrameType | None = None) -> None:
        for reference in self.running:
            self.ray.cancel(reference, force=bool(self.stopped_by))
        self.stopped_by = self.stopped_by or number
