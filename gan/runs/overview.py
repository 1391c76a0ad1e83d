"""What runs there are below a directory, how far each is, and what differs among them. Torch is not needed."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan.base.errors import UserError
from gan.runs.differences import differences
from gan.runs.directory import CONFIG
from gan.runs.reader import Run
from gan.runs.rows import score_name, score_of
from gan.runs.status import Alarm, end_if_killed


@dataclass(frozen=True)
class Line:
    """A run among others."""

    run: str  # its place below the directory that was looked through
    state: str  # `unreadable` for a run of which a file is damaged
    reason: str | None  # of a stop or a failure; of an unreadable run, what is wrong
    step: int | None
    score: float | None
    score_name: str | None  # such as `fid`
    images: str | None  # the score's: `test`, or `held-out` for the best one of a run without a report
    differs: dict[str, Any]  # the values that are not the same in all runs
    alarms: tuple[Alarm, ...] = ()  # what the watchdog saw


def overview(directory: str | Path) -> list[Line]:
    """Return a line for each run in a directory and below it, sorted by path. UserError if there is no directory."""
    place = Path(directory)
    if not place.is_dir():
        raise UserError(f"{place}: no such directory; give one with runs of gan fit in it")
    found = [(_line(run, place), run) for run in (Run(file.parent) for file in sorted(place.rglob(CONFIG)))]
    lines, runs = [line for line, _ in found if line], [run for line, run in found if line]
    readable = [run for line, run in zip(lines, runs, strict=True) if line.state != "unreadable"]
    varied = differences([run.config for run in readable])
    values = {run.directory: {key: value[index] for key, value in varied.items()} for index, run in enumerate(readable)}
    return [replace(line, differs=values.get(run.directory, {})) for line, run in zip(lines, runs, strict=True)]


def _line(run: Run, place: Path) -> Line | None:
    """Return a run's line, as yet without what differs. None for a directory that is no run."""
    name = str(run.directory.relative_to(place))
    try:
        if not run.is_run:
            return None
        end_if_killed(run.directory)
        report, best, record = run.report, run.best, run.record
        row, images = (report, "test") if report else (best, "held-out")
        step = record.step if record else run.step
        reason = record.reason if record else None
        score, called = (score_of(row), score_name(row)) if row else (None, None)
        return Line(name, run.state, reason, step, score, called, images if row else None, {}, run.alarms)
    except UserError as error:
        return Line(name, "unreadable", str(error), None, None, None, None, {})
