"""One owner for each run: a lock in the run's directory, held as long as a process trains there.

The lock is an `flock` on the file `owner.json`, which also says who holds it. The kernel ends a lock with its process.
So a dead owner on this machine keeps nobody out. Other machines that share the directory may not see the lock.
For them the file's content decides: they refuse a run that its owner did not give back, unless they are the same
SLURM job, started again.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gan.base.errors import UserError

FILE = "owner.json"
MAX_BYTES = 10_000
WRITTEN = {"pid": int, "host": str, "boot": str}  # what names an owner, with its types
PATIENCE = 1.0  # seconds; who looks whether a run is alive holds its lock for an instant


@contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Make the directory. Within it, this process alone may write there. UserError if another process owns the run."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(_unwritable(directory, error)) from None
    descriptor = _acquired(directory)
    try:
        with suppress(OSError):  # on a full disk the lock has no words, but holds
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_myself()).encode(), 0)
        yield
    finally:
        if _is(descriptor, directory / FILE):
            (directory / FILE).unlink()  # before the lock ends, so that nobody can lock a file without a name
        os.close(descriptor)


def owner_of(directory: Path) -> dict[str, Any] | None:
    """Return `pid`, `host`, … of the process that trains in `directory`, or None. Nothing is written.

    A process of another machine, which cannot be seen, counts until it gives the run back.
    """
    try:
        descriptor = os.open(directory / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        locked, owner = _lock(descriptor, fcntl.LOCK_SH), _read(descriptor)
        return None if locked is not False and _is_gone(owner, locked is True) else owner
    finally:
        os.close(descriptor)


def refuse_owned(directory: Path) -> None:
    """Raise UserError, which names process and machine, if a process trains in `directory`."""
    owner = owner_of(directory)
    if owner is not None:
        raise UserError(_refusal(directory, owner))


def _acquired(directory: Path) -> int:
    """Return the open file with this process's lock on it. UserError if another process owns the run."""
    file, until = directory / FILE, time.monotonic() + PATIENCE
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise UserError(_unwritable(directory, error)) from None
        locked, owner = _lock(descriptor, fcntl.LOCK_EX), _read(descriptor)
        free = locked is not False and _is_gone(owner, locked is True)
        if free and _is(descriptor, file):
            return descriptor
        os.close(descriptor)
        if not free and (locked or time.monotonic() > until):
            raise UserError(_refusal(directory, owner))
        time.sleep(0.02)


def _is(descriptor: int, file: Path) -> bool:
    """Return whether an open file still has its name: its last owner may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except OSError:
        return False


def _lock(descriptor: int, kind: int) -> bool | None:
    """Return whether the file could be locked, or None where the file system knows no locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _read(descriptor: int) -> dict[str, Any]:
    """Return what the owner wrote of itself. Empty if it has written nothing yet, or for a damaged file."""
    try:
        owner = json.loads(os.pread(descriptor, MAX_BYTES, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    whole = isinstance(owner, dict) and all(isinstance(owner.get(key), kind) for key, kind in WRITTEN.items())
    return owner if whole else {}


def _myself() -> dict[str, Any]:
    """Return what `_read` reads. `boot` is one for all processes of a running kernel, whatever their container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = socket.gethostname()
    job, restarts = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_RESTART_COUNT", "0")
    return {"pid": os.getpid(), "host": socket.gethostname(), "boot": boot, "job": job, "restarts": restarts}


def _is_gone(owner: dict[str, Any], locked: bool) -> bool:
    """Return whether an owner whose lock is not seen is gone. `locked`: whether its file could be locked here."""
    here = _myself()
    if not owner or owner.get("boot") == here["boot"]:
        return locked or not _lives(owner.get("pid"))
    if owner.get("host") == here["host"]:
        return True  # the machine has been started anew since
    return here["job"] is not None and owner.get("job") == here["job"] and owner.get("restarts") != here["restarts"]


def _lives(pid: Any) -> bool:
    """Return whether this machine has such a process."""
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _refusal(directory: Path, owner: dict[str, Any]) -> str:
    who = f"process {owner.get('pid', '(unknown)')!s:.20} on {owner.get('host', 'an unknown machine')!s:.100}"
    who = "".join(c if c.isprintable() else " " for c in who)
    mend = "wait for its end, or stop it, or give another --run"
    if owner and owner["host"] != socket.gethostname():
        mend += f"; if that process is gone, remove {directory / FILE}"
    return f"{directory}: {who} trains there; {mend}"


def _unwritable(directory: Path, error: OSError) -> str:
    return f"{directory}: cannot write there ({error.strerror or error}); give another place with --run"
