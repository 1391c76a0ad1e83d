"""The commands of `gan`. Each file has a function `run`, which takes the words and returns the exit code."""

import importlib

from gan.base.choices import nearest
from gan.base.errors import UserError

COMMANDS = (
    "fit",
    "sweep",
    "resume",
    "runs",
    "diff",
    "report",
    "bundle",
    "sample",
    "evaluate",
    "evaluator",
    "export",
    "data",
    "new",
)


def run(command: str, words: list[str]) -> int:
    """Run a command and return its exit code. UserError for an unknown command."""
    if command not in COMMANDS:
        raise UserError(f"unknown command {command!r}; {nearest(command, COMMANDS)}")
    return importlib.import_module(f"{__name__}.{command}").run(words)
