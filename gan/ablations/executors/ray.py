"""Has runs made on a Ray cluster: a core task for each, which asks for its cores and its share of a GPU."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

from gan.ablations.claims import is_made_elsewhere, is_settled, record_failure, state_of
from gan.ablations.executors import TRIES, Tell, signals
from gan.ablations.planning import Task
from gan.ablations.worker import TAKEN, logged
from gan.base.errors import UserError

POLL = 1.0  # seconds between two looks


class Ray:
    """Carries tasks out on a cluster. `settings` are those of `ray.init`; without an address a cluster is made here."""

    def __init__(self, settings: Mapping[str, Any], threads: int | None, per_gpu: int = 1) -> None:
        self.settings, self.threads, self.per_gpu = dict(settings), threads or 1, per_gpu

    def carry_out(self, tasks: Sequence[Task], tell: Tell) -> int:
        """Carry out the tasks. A signal stops all runs at the end of an update; a second one kills them."""
        try:
            import ray
        except ImportError:
            raise UserError("--executor ray needs Ray; give pip install 'gan[ray]'") from None
        mine = not ray.is_initialized()
        if mine:
            try:
                ray.init(**{"log_to_driver": False, "include_dashboard": None, **self.settings})
            except Exception as error:  # no cluster at the address, an unknown setting
                raise UserError(f"--executor ray: {' '.join(str(error).split())[:300]}; see --set") from error
        try:
            return self._carried_out(ray, tasks, tell)
        finally:
            if mine:
                ray.shutdown()

    def _carried_out(self, ray: Any, tasks: Sequence[Task], tell: Tell) -> int:
        share = 1 / self.per_gpu if ray.cluster_resources().get("GPU") else 0
        work = ray.remote(num_cpus=self.threads, num_gpus=share, max_retries=0)(logged)
        running: dict[Any, Task] = {}
        queue, elsewhere, tries = deque(tasks), list[Task](), Counter[str]()
        stopped_by = 0

        def stop(number: int, frame: Any = None) -> None:
            nonlocal stopped_by
            for reference in running:
                ray.cancel(reference, force=bool(stopped_by))
            stopped_by = stopped_by or number

        with signals(stop):
            while running or ((queue or elsewhere) and not stopped_by):
                while queue and not stopped_by:
                    task = queue.popleft()
                    if is_settled(task):
                        tell(task, state_of(task.directory, task.runs))
                    elif is_made_elsewhere(task):
                        elsewhere.append(task)
                    else:
                        running[work.remote(task, self.threads)] = task
                ended, _ = ray.wait(list(running), timeout=POLL) if running else ([], None)
                for reference in ended:
                    task = running.pop(reference)
                    how = _result(ray, reference)
                    if how == TAKEN:
                        elsewhere.append(task)
                    elif isinstance(how, str) and not stopped_by:
                        tries[task.name] += 1
                        if tries[task.name] < TRIES:
                            queue.append(task)
                            tell(task, f"{how}; it is tried again")
                        else:
                            record_failure(task, f"{how}, {TRIES} times")
                            tell(task, "failed")
                    else:
                        tell(task, state_of(task.directory, task.runs))
                for task in [task for task in elsewhere if not is_made_elsewhere(task)]:
                    elsewhere.remove(task)
                    queue.append(task)
        return stopped_by


def _result(ray: Any, reference: Any) -> int | str:
    """Return the exit code of a task, or how its worker was lost."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        return type(error).__name__
