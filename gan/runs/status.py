"""A run's status: one small file, `status.json`, that is replaced whole. Torch is not needed.

The first process of a run writes it. Whoever does something long within a run calls it a phase:

    with phase("evaluation"):
        …
"""

import json
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gan.base.disk import replacing
from gan.base.errors import DiskError, UserError
from gan.runs.owner import owned, owner_of
from gan.runs.session import end_session, ended_sessions

FILE = "status.json"
STATES = ("running", "stopped", "finished", "failed", "diverged")
MAX_BYTES = 10_000  # of the file
MAX_ALARMS = 16  # of a run; of more, the oldest that are over are left out
BEAT_EVERY = 5.0  # seconds between two heartbeats of steps; a phase is written at once
TRAINING = "training"


@dataclass(frozen=True)
class Alarm:
    """What the watchdog saw of a training that fails."""

    sign: str  # `nan`, `saturated`, `collapsed` or `dead`; a later version may have others
    step: int  # generator updates when it began
    reason: str
    over: int | None = None  # generator updates when it ended, if it did

    def __str__(self) -> str:
        """`collapsed since 600`, `saturated 300 to 900`."""
        return f"{self.sign} since {self.step}" if self.over is None else f"{self.sign} {self.step} to {self.over}"

    def ended(self, step: int) -> "Alarm":
        """Return the alarm as over."""
        return replace(self, over=step)

    def to_dict(self) -> dict[str, Any]:
        """Return its plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Status:
    """What a run said of itself last."""

    state: str  # one of STATES
    reason: str | None  # of a stop: `signal SIGTERM`, `time`, `disk`, …; of a failure: its first line
    step: int  # generator updates
    pid: int
    host: str
    started: str  # when this process began to train, as ISO 8601 in UTC
    heartbeat: str  # when a step or a phase moved last
    phase: str = TRAINING  # what goes on: `training`, or the name of a long phase
    alarms: tuple[Alarm, ...] = ()  # in the order in which they began

    def __str__(self) -> str:
        """`finished`, `stopped at 120 (time)` and the like. A run that is running may be dead: see `Run.state`."""
        if self.state == "finished":
            return self.state
        notes = [note for note in (self.reason, self.phase if self.phase != TRAINING else None) if note]
        return f"{self.state} at {self.step}" + (f" ({', '.join(notes)})" if notes else "")


def read_status(directory: Path) -> Status | None:
    """Return the status of the run in a directory, or None without the file. UserError for a damaged file."""
    file = directory / FILE
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        return _checked(json.loads(content.decode()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{file}: not a run's status ({reason}); remove it: the checkpoints say how far it is"
        ) from None


def killed_at(directory: Path) -> float | None:
    """Return the last heartbeat of a run that was killed, in seconds since 1970. None if it ended in another way.

    Only the run's owner may ask: to others a run that still trains looks the same.
    """
    status = read_status(directory)
    return datetime.fromisoformat(status.heartbeat).timestamp() if status and status.state == "running" else None


def end_if_killed(directory: Path) -> None:
    """Write the end of the session of a run that was killed: it was its last heartbeat. Other runs stay as they are."""
    status = read_status(directory)
    if status is None or status.state != "running" or ended_sessions(directory) or owner_of(directory) is not None:
        return
    with suppress(UserError), owned(directory):  # nobody goes on with it meanwhile; it may be somebody else's run
        if (when := killed_at(directory)) is not None:
            end_session(directory, "killed", when)


def _checked(values: Any) -> Status:
    """Return the status that a file's values make. ValueError if they make none."""
    if not isinstance(values, dict):
        raise ValueError("must be an object")
    known = {field.name: field for field in fields(Status)}
    values = {name: value for name, value in values.items() if name in known}  # a later version may add some
    alarms = alarms_of(values.pop("alarms", []))  # versions without a watchdog wrote none
    if missing := known.keys() - values.keys() - {"alarms"}:
        raise ValueError(f"lacks {', '.join(sorted(missing))}")
    for name, value in values.items():
        number = name in ("step", "pid")
        if not (_is_count(value) if number else isinstance(value, str) or (name == "reason" and value is None)):
            raise ValueError(f"{name} may not be {value!r}")
    if values["state"] not in STATES:
        raise ValueError(f"state may not be {values['state']!r}")
    for name in ("started", "heartbeat"):
        datetime.fromisoformat(values[name]).timestamp()
    return Status(**{name: _printable(value) for name, value in values.items()}, alarms=alarms)


def alarms_of(values: Any) -> tuple[Alarm, ...]:
    """Return the alarms that a file's values make. ValueError if they make none."""
    if not isinstance(values, list) or len(values) > MAX_ALARMS:
        raise ValueError(f"alarms must be a list of at most {MAX_ALARMS}")
    found = []
    for value in values:
        if not isinstance(value, dict):
            raise ValueError("an alarm must be an object")
        alarm = {field.name: value.get(field.name) for field in fields(Alarm)}
        if not (isinstance(alarm["sign"], str) and isinstance(alarm["reason"], str) and _is_count(alarm["step"])):
            raise ValueError("an alarm must have sign, step and reason")
        if not (alarm["over"] is None or (_is_count(alarm["over"]) and alarm["over"] >= alarm["step"])):
            raise ValueError(f"an alarm's over may not be {alarm['over']!r}")
        found.append(Alarm(**{name: _printable(item) for name, item in alarm.items()}))
    return tuple(found)


def kept(alarms: list[Alarm]) -> list[Alarm]:
    """Return as many alarms as a status holds: without the oldest that are over."""
    over = [alarm for alarm in alarms if alarm.over is not None]
    dropped = over[: max(0, len(alarms) - MAX_ALARMS)]
    return [alarm for alarm in alarms if alarm not in dropped]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _printable(value: Any) -> Any:
    """Return a text as one line without control characters, which could move a terminal's cursor."""
    if not isinstance(value, str):
        return value
    return "".join(c if c.isprintable() else " " for c in value)


class Life:
    """Writes the status of the run that this process trains. Before `begin` and after `end` nothing is written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.status: Status | None = None
        self._next = 0.0

    def begin(self, step: int, alarms: Iterable[Alarm] = ()) -> None:
        """Write that the run is running, unless that is written already."""
        if self.status is None:
            now, process = _now(), (os.getpid(), socket.gethostname())
            self._write(Status("running", None, step, *process, now, now, "starting", tuple(alarms)))

    def beat(self, step: int) -> None:
        """Take note of a step. The file is written at most every few seconds."""
        if self.status and (self.status.phase == "starting" or time.monotonic() >= self._next):
            self._write(replace(self.status, step=step, heartbeat=_now(), phase=TRAINING))

    def enter(self, phase: str) -> None:
        """Write that a phase begins."""
        if self.status:
            self._write(replace(self.status, heartbeat=_now(), phase=phase))

    def tell(self, alarms: Iterable[Alarm]) -> None:
        """Write the alarms."""
        if self.status:
            self._write(replace(self.status, heartbeat=_now(), alarms=tuple(alarms)))

    def end(self, state: str, step: int, reason: str | None = None) -> None:
        """Write how the run and its session ended. Of a reason the first line is kept."""
        if self.status:
            first = (reason or "").strip().splitlines()[:1]
            reason = first[0][:500] if first else None
            self._write(replace(self.status, state=state, reason=reason, step=step, heartbeat=_now(), phase=TRAINING))
            self.status = None
            end_session(self.directory, state)

    def _write(self, status: Status) -> None:
        """Replace the file. A full disk stops a run where it saves its weights, not at this note."""
        self.status, self._next = status, time.monotonic() + BEAT_EVERY
        with suppress(DiskError), replacing(self.directory / FILE) as part:
            part.write_text(json.dumps(asdict(status), indent=1) + "\n", encoding="utf-8")


_life: Life | None = None  # of the run that this process trains; only the first process of a run has one


@contextmanager
def living(life: Life) -> Iterator[None]:
    """Within it, `phase` speaks of this life."""
    global _life
    before, _life = _life, life
    try:
        yield
    finally:
        _life = before


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Within it, the status names a long phase, such as `evaluation`. Where no run is trained it does nothing."""
    life = _life
    if life is None or life.status is None:
        yield
        return
    before = life.status.phase
    life.enter(name)
    try:
        yield
    finally:
        life.enter(before)


def tell_alarms(alarms: Iterable[Alarm]) -> None:
    """Write the alarms into the status of the run that is trained. Where none is trained it does nothing."""
    if _life is not None:
        _life.tell(alarms)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
