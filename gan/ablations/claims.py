"""What sweeps know of a run: where it is, whether somebody makes it, and whether it failed. Torch is not needed.

All sweeps in one folder of runs share what they make. A run's digest names a folder in `.made`, which is locked while
the run is made and says where it is. A second sweep with the same run has a link to it.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gan.ablations.planning import Task
from gan.base.errors import UserError
from gan.runs.directory import CONFIG, write_text
from gan.runs.owner import FILE as OWNER
from gan.runs.owner import owned, owner_of
from gan.runs.reader import Run
from gan.runs.status import FILE as STATUS

PLACE = "place"  # file in a claim: the task's directory, seen from the folder of all sweeps
DONE = ("finished", "diverged")
WAITING = "waiting"  # not started


def failure_file(directory: Path) -> Path:
    """Return the file that says that a run failed, beside its directory."""
    return directory.parent / f"{directory.name}.failed.json"


def record_failure(task: Task, reason: str) -> None:
    """Write that a task failed. It is not tried again until somebody asks for that."""
    failed = failure_file(task.directory)
    failed.parent.mkdir(parents=True, exist_ok=True)
    entry = {"reason": reason, "time": datetime.now(UTC).isoformat(timespec="seconds"), "log": task.log.name}
    write_text(failed, json.dumps(entry, indent=1) + "\n")


def failure_of(directory: Path) -> dict[str, Any] | None:
    """Return `reason`, `time` and `log` of a recorded failure, or None."""
    try:
        return json.loads(failure_file(directory).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {"reason": f"{failure_file(directory)} is damaged"}


def state_of(directory: Path, runs: Sequence[Path]) -> str:
    """Return the state of a task: that of its run, `failed` if that was recorded, or `waiting`.

    Of packed runs the state is that of the one which is least far.
    """
    states = [Run(run).state if Run(run).record else WAITING for run in runs]
    if all(state in DONE for state in states):
        return max(states)  # finished, if one is
    if failure_of(directory) is not None or "failed" in states:
        return "failed"
    return next(state for state in states if state not in DONE)


def is_made_elsewhere(task: Task) -> bool:
    """Return whether another process makes the task's run."""
    return owner_of(task.claim) is not None or any(owner_of(run) is not None for run in task.runs)


def last_move(task: Task) -> float:
    """Return when the task was last seen to begin, to step or to enter a phase, in seconds since 1970; 0 if never."""
    files = [task.claim / OWNER, *(run / STATUS for run in task.runs)]
    times = [0.0]
    for file in files:
        with suppress(OSError):
            times.append(file.stat().st_mtime)
    return max(times)


def adopt(task: Task) -> None:
    """Link to the runs of another sweep that are the same, or write down that they are here. The claim must be held."""
    for run in task.runs:
        if run.is_symlink() and not run.exists():
            run.unlink()  # what it led to is gone
    other = _place(task)
    if other not in (None, task.directory) and not any(run.exists() for run in task.runs):
        assert other is not None
        there = [other / run.name for run in task.runs] if task.packed else [other]
        if all((run / CONFIG).is_file() for run in there):
            for run, target in zip(task.runs, there, strict=True):
                run.parent.mkdir(parents=True, exist_ok=True)
                run.symlink_to(os.path.relpath(target, run.parent), target_is_directory=True)
            return
    write_text(task.claim / PLACE, os.path.relpath(task.directory, task.claim.parent.parent) + "\n")


def _place(task: Task) -> Path | None:
    """Return where a sweep made the task, or None."""
    try:
        text = (task.claim / PLACE).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return Path(os.path.normpath(task.claim.parent.parent / text)) if text else None


def is_settled(task: Task) -> bool:
    """Return whether a task has come to its end, here or in another sweep, to whose runs links are then made."""
    if state_of(task.directory, task.runs) in DONE:
        return True
    other = _place(task)
    if other in (None, task.directory) or any(run.exists() for run in task.runs):
        return False
    assert other is not None
    if state_of(other, [other / run.name for run in task.runs] if task.packed else [other]) not in DONE:
        return False
    with suppress(UserError), owned(task.claim):
        adopt(task)
    return state_of(task.directory, task.runs) in DONE


def tidy(task: Task) -> None:
    """Remove the checkpoints of runs that have ended, as far as the manifest does not keep them."""
    patterns = {"all": (), "generator": ("*.ckpt",), "none": ("*.ckpt", "*.safetensors")}[task.keep]
    for run in task.runs:
        if Run(run).record and Run(run).state in DONE:
            for pattern in patterns:
                for file in (run / "checkpoints").glob(pattern):
                    with suppress(FileNotFoundError):
                        file.unlink()
