"""Lines of `gan fit` for the runs of a sweep."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gan.ablations.planning import Task
from gan.cli.flags import TEXTS
from gan.runs.yaml_files import parse_value


def lines(tasks: Sequence[Task], threads: int | None) -> list[str]:
    """Return the line that makes each task, for a shell or a scheduler. It may be given again."""
    found = []
    for task in tasks:
        given = {key: value for key, value in task.given.items() if key != "copies"}
        words = [*(f"--config={name}" for name in task.config), *_flags(given)]
        words += [f"--threads={threads}"] if threads else []
        words += [f"--copies={len(task.seeds)}"] if task.packed else []
        words += [f"--allow-import={package}" for package in task.allow_import]
        found.append(shlex.join(["gan", "fit", *words, f"--run={task.directory}", "--resume", "--alone"]))
    return found


def _flags(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and "name" not in value:
            yield from _flags(value, f"{name}.")
        else:
            bare = isinstance(value, str) and (name in TEXTS or parse_value(value, name) == value)
            yield f"--{name}={value if bare else json.dumps(value)}"
