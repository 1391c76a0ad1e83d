"""A run's directory. It is made once, and later only `gan resume` and `--overwrite` write to it."""

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

from gan.base.choices import is_number
from gan.base.errors import UserError
from gan.runs.yaml_files import read_yaml, to_yaml

# Keys of every resolved configuration. Another file that is called config.yaml will hardly have all of them.
RESOLVED = {"model", "run", "seed_everything", "data", "trainer", "checkpoints"}
CONFIG, PROVENANCE, METRICS = "config.yaml", "provenance.json", "metrics.jsonl"


def create(directory: Path, tree: dict[str, Any], overwrite: bool) -> None:
    """Make the directory and write its resolved configuration. UserError if it is in use or cannot be written.

    The directory is then a run, even if training fails. If two processes start at once, only one writes the
    configuration; the other gets the error.
    """
    used = f"{directory} is in use; gan resume {directory}, or give another --run or --overwrite"
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            if not overwrite:
                raise UserError(used)
            _refuse_what_is_no_run(directory)
            shutil.rmtree(directory)
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / CONFIG).open("x", encoding="utf-8") as file:
            file.write(to_yaml(tree))
    except FileExistsError:
        raise UserError(used) from None
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{directory}: cannot write there ({reason}); give another place with --run") from None


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
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


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
