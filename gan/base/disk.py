"""Writes files whole: under its name a file has either its old content or all of the new one."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gan.base.errors import DiskError


@contextmanager
def replacing(path: Path, damage: Callable[[Path], str | None] | None = None) -> Iterator[Path]:
    """Give a path to write to. At the exit that file is on the disk and takes the name `path`.

    Only the folder of `path` is made, so that a run whose directory is gone is not made anew. `damage` says what is
    wrong with a file; the new one is read back with it. After any error `path` keeps its old content, and the new file
    is removed. An error of the disk, and damage, are DiskErrors.
    """
    part = path.with_name(path.name + ".part")
    try:
        with writing(path):
            path.parent.mkdir(exist_ok=True)
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
def writing(path: Path) -> Iterator[None]:
    """Within it, an error of the disk is a DiskError that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise DiskError(f"{path}: cannot be written ({reason}); mend that, then go on with gan resume") from error


def _sync(path: Path) -> None:
    """Wait until a file, or the list of files in a directory, is on the disk. The next read then comes from there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
