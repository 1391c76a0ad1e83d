"""Has runs made by SLURM, through submitit: an array of jobs, each of which is requeued until its run has ended."""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from gan.ablations.claims import state_of
from gan.ablations.executors import Tell
from gan.ablations.planning import Task
from gan.ablations.worker import logged
from gan.base.errors import UserError

LOGS = "slurm"  # folder of submitit's files, in that of what all sweeps know
ASKED = (signal.SIGUSR1, signal.SIGUSR2)  # SLURM sends one of them before the time limit, and at a preemption


class Job:
    """What the jobs of an array call, each with its task. submitit pickles it."""

    def __init__(self, threads: int | None) -> None:
        self.threads = threads

    def __call__(self, task: Task) -> str:
        """Return the state that the task comes to. A run that SLURM's signal stopped hands the signal on to submitit.

        submitit then asks for a checkpoint, and has SLURM requeue the job.
        """
        code = logged(task, self.threads)
        if code - 128 in ASKED and callable(signal.getsignal(code - 128)):
            os.kill(os.getpid(), code - 128)
        return state_of(task.directory, task.runs)

    def checkpoint(self, task: Task) -> Any:
        """Return what the requeued job calls: the same, since a run goes on from where it stopped."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, task)


class Slurm:
    """Submits the tasks. `settings` are `cluster`, and those of submitit's `update_parameters`."""

    def __init__(self, settings: Mapping[str, Any], threads: int | None) -> None:
        self.settings, self.threads = dict(settings), threads

    def carry_out(self, tasks: Sequence[Task], tell: Tell) -> int:
        """Submit the tasks as one array, and return. For another cluster than SLURM's, such as `local`, wait."""
        try:
            from submitit import AutoExecutor
        except ImportError:
            raise UserError("--executor slurm needs submitit; give pip install 'gan[slurm]'") from None
        settings = {"cpus_per_task": self.threads or 1, **self.settings}
        try:
            executor = AutoExecutor(tasks[0].claim.parent / LOGS, cluster=settings.pop("cluster", None))
            executor.update_parameters(**settings)
            jobs = executor.map_array(Job(self.threads), tasks)
        except Exception as error:  # without SLURM's commands, for an unknown parameter, and where SLURM refuses
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise UserError(f"--executor slurm: {reason}; see --set in gan sweep --help") from error
        for task, job in zip(tasks, jobs, strict=True):
            tell(task, f"submitted as job {job.job_id}")
        if executor.cluster != "slurm":
            for task, job in zip(tasks, jobs, strict=True):
                job.wait()
                tell(task, state_of(task.directory, task.runs))
        return 0
