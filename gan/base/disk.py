"""Writes files whole: under its name a file has either its old content or all of the new one."""

import errno
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gan.base.errors import DiskError

DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE}  # of no other cause


@contextmanager
def replacing(path: Path, damage: Callable[[Path], str | None] | None = None) -> Iterator[Path]:
    """Give a path to write to. At the exit that file is on the disk and takes the name `path`.

    `damage` says what is wrong with a file; the new one is read back with it. After any error `path` keeps its old
    content, and the new file is removed. An error of the disk, and damage, are DiskErrors.
    """
    part = path.with_name(path.name + ".part")
    try:
        with writing(path):
            yield part
            _sync(part)
            if damage and (reason := damage(part)):
                raise DiskError(f"{path}: reads back other than it was written ({reason}); look at the disk")
            os.replace(part, path)
            _sync(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def making(directory: Path) -> Iterator[Path]:
    """Give a new directory to write to. At the exit it is on the disk and takes the name `directory`.

    `directory` must be absent or empty. After any error it is as before, and the new directory is removed.
    """
    part = directory.with_name(f".{directory.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.mkdir()
        yield part
        for path in (*part.iterdir(), part):
            _sync(path)
        os.replace(part, directory)
        _sync(directory.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within it, an OSError is a DiskError that names `path`, also if a library made another error of it."""
    try:
        yield
    except Exception as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        if not isinstance(cause, OSError):
            raise
        raise _disk_error(f"{path}: cannot be written", cause) from error


@contextmanager
def training() -> Iterator[None]:
    """Within it, an error that came of the disk is a DiskError, whatever failed after it.

    TensorBoard writes in a thread, whose error it raises again at the next writing. The thread does not print it.
    """
    before = threading.excepthook
    threading.excepthook = lambda args: None if isinstance(args.exc_value, OSError) else before(args)
    try:
        yield
    except Exception as error:
        chain = _chain(error)
        found = next((e for e in chain if isinstance(e, DiskError)), None)
        cause = next((e for e in chain if isinstance(e, OSError) and e.errno in DISK), None)
        if found is None and cause is not None:
            found = _disk_error(f"{cause.filename or 'the disk'}: cannot be written", cause)
        if found is None or found is error:
            raise
        raise found from error
    finally:
        threading.excepthook = before


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and all that it came of, nearest first. A thread's error that is raised again makes a circle."""
    chain = [error]
    for link in chain:
        behind = (link.__cause__, link.__context__)
        chain += [e for e in behind if e is not None and not any(e is known for known in chain)]
    return chain


def _disk_error(what: str, error: OSError) -> DiskError:
    return DiskError(f"{what} ({error.strerror or error}); mend that, then go on with gan resume")


def _sync(path: Path) -> None:
    """Wait until a file, or the list of files in a directory, is on the disk. The next read then comes from there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
