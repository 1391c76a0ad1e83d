"""Makes one run of a sweep in this process. All executors do their work by it."""

import os
import sys
import traceback
from contextlib import ExitStack, redirect_stderr, redirect_stdout

from gan.ablations.claims import adopt, failure_file, record_failure, tidy
from gan.ablations.planning import Task
from gan.base.errors import DiskError, UserError
from gan.runs.fit import CODES, fit
from gan.runs.owner import owned, owner_of
from gan.runs.reader import Run
from gan.runs.world import forget_the_launcher

TAKEN = 75  # exit code: another process makes this run (EX_TEMPFAIL)


def carry_out(task: Task, threads: int | None) -> int:
    """Start the task's run, go on with it, or leave it if it has ended. Return its exit code.

    `threads` are those of a new run; one that goes on keeps its own. A failure is recorded.
    """
    forget_the_launcher()
    os.chdir(task.folder)
    if task.folder not in sys.path:
        sys.path.append(task.folder)
    with ExitStack() as claim:
        try:
            claim.enter_context(owned(task.claim))
        except UserError as error:
            print(error, file=sys.stderr)
            return TAKEN
        adopt(task)
        try:
            return _made(task, threads)
        except KeyboardInterrupt:
            return CODES["failed"] if failure_file(task.directory).exists() else 130
        except DiskError as error:
            print(f"gan: error: {error}", file=sys.stderr)
            return error.code
        except Exception as error:
            if any(owner_of(run) is not None for run in task.runs):
                print(f"gan: error: {error}", file=sys.stderr)
                return TAKEN
            if isinstance(error, UserError):
                print(f"gan: error: {error}", file=sys.stderr)
            else:
                traceback.print_exc()
            record_failure(task, " ".join(f"{type(error).__name__}: {error}".split())[:500])
            return CODES["failed"]


def logged(task: Task, threads: int | None) -> int:
    """Do the same, with what is printed at the end of the task's log."""
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        return carry_out(task, threads)


def _made(task: Task, threads: int | None) -> int:
    first = Run(task.runs[0])
    threads = first.config.get("threads") if first.is_run else threads
    given = {**task.given, "threads": task.given.get("threads") or threads}
    outcome = fit(task.config, **given, run=task.directory, resume=True, alone=True, allow_import=task.allow_import)
    tidy(task)
    return outcome.code
