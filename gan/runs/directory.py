"""A run's directory. It is made once, and later only `gan resume` and `--overwrite` write to it."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan.base.choices import is_number
from gan.base.disk import replacing
from gan.base.errors import UserError
from gan.runs.owner import FILE as OWNER
from gan.runs.yaml_files import read_yaml, to_yaml

# Keys of every resolved configuration. Another file that is called config.yaml will hardly have all of them.
RESOLVED = {"model", "run", "seed_everything", "data", "trainer", "checkpoints"}
CONFIG, PROVENANCE, METRICS = "config.yaml", "provenance.json", "metrics.jsonl"


def refuse_used(directory: Path, overwrite: bool) -> None:
    """Raise UserError for a place where no new run may be made: one in use, or, to be emptied, one that is no run."""
    with _writing(directory):
        if not is_empty(directory):
            if not overwrite:
                raise UserError(_used(directory))
            _refuse_what_is_no_run(directory)


def create(directory: Path, tree: dict[str, Any], overwrite: bool) -> None:
    """Make the directory and write its resolved configuration. UserError if it is in use or cannot be written.

    The directory is then a run, even if training fails. If two processes start at once, only one writes the
    configuration; the other gets the error.
    """
    refuse_used(directory, overwrite)
    with _writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for path in _content(directory) if overwrite else ():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        with (directory / CONFIG).open("x", encoding="utf-8") as file:
            file.write(to_yaml(tree))


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """Within it, what the disk refuses is a UserError."""
    try:
        yield
    except FileExistsError:
        raise UserError(_used(directory)) from None
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{directory}: cannot write there ({reason}); give another place with --run") from None


def is_empty(directory: Path) -> bool:
    """Return whether there is no such directory, or nothing in it."""
    return not directory.exists() or (directory.is_dir() and not _content(directory))


def _content(directory: Path) -> list[Path]:
    """Return what is in a directory, but for the lock of the process that is about to make a run there."""
    return [path for path in directory.iterdir() if path.name != OWNER]


def _used(directory: Path) -> str:
    return f"{directory} is in use; gan resume {directory}, or give --resume, --overwrite or another --run"


def _refuse_what_is_no_run(directory: Path) -> None:
    """Raise UserError for a directory that --overwrite must not empty."""
    place = directory.resolve()
    if any(home.is_relative_to(place) for home in (Path.cwd(), Path(os.path.expanduser("~")).resolve())):
        raise UserError(f"{directory} holds the working or home directory, so --overwrite does not empty it")
    try:
        tree = read_yaml(directory / CONFIG, str(directory))
    except UserError:
        tree = {}
    if not tree.keys() >= RESOLVED:
        raise UserError(f"{directory} is not a run (no {CONFIG} of gan fit's), so --overwrite does not empty it")


def write_text(path: Path, text: str) -> None:
    """Replace a file's content. At any time the file has either the old content or the new one."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_config(directory: Path, tree: dict[str, Any]) -> None:
    """Write the resolved configuration."""
    write_text(directory / CONFIG, to_yaml(tree))


def write_provenance(directory: Path, entry: dict[str, Any]) -> None:
    """Add an entry to `provenance.json`. It has one for the start and one for each resumption."""
    path = directory / PROVENANCE
    try:
        entries = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        if not isinstance(entries, list):
            raise ValueError("no list of entries")
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable as JSON ({error}); move it away to go on without it") from None
    write_text(path, json.dumps([*entries, entry], indent=1, default=str) + "\n")


def forget_after(directory: Path, step: int) -> None:
    """Remove the metric rows of steps after `step`, which a resumed run will do again."""
    path = directory / METRICS
    if path.is_file():
        rows = path.read_text(encoding="utf-8", errors="replace").splitlines()
        write_text(path, "".join(f"{row}\n" for row in rows if _step(row) <= step))


def _step(row: str) -> float:
    """Return the step of a metric row, or infinity for a row that a crash cut off."""
    try:
        step = json.loads(row)["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return math.inf
    return step if is_number(step) else math.inf
