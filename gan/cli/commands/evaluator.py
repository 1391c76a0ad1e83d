"""`gan evaluator` trains the classifier that measures a data set of one's own."""

import sys
from typing import Any

from gan.base.errors import UserError
from gan.cli.commands.data import settings
from gan.runs.yaml_files import parse_value

HELP = """\
usage: gan evaluator NAME [--data.KEY=VALUE ...] [--out=FILE]

Train, check and store the classifier in whose features images of a data set are compared:
squares of 28 to 64 pixels, grey or RGB, with labels. Without --out the file goes into the root of
the data, where gan fit and gan evaluate find it.

  gan evaluator folder --data.root=DIR --data.size=32
  gan evaluator fashion_mnist --data.root=DIR

options:
  --data.KEY=VALUE     as for gan data
  --out=FILE           then use --evaluation.extractor="{name: classifier, file: FILE}"
  --epochs=N           passes over the training images (default 30, and at least 1,500 updates)
  --augmentation=X     strength of random maps of the training images (default 0.65; 0 is none)
  --seed=N             of weights, order and maps (default 0)
  --threads=N          of the processor (default 1)
"""
NUMBERS = {"epochs": int, "augmentation": float, "seed": int, "threads": int}


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    if "--help" in words or "-h" in words:
        print(HELP, end="")
        return 0
    try:
        data, given = settings(words, "gan evaluator", ("out", *NUMBERS))
    except UserError as error:
        raise UserError(f"{error}; see gan evaluator --help") from None
    numbers: dict[str, Any] = {key: _number(key, given.pop(key)) for key in tuple(NUMBERS) if key in given}
    import torch

    from gan.runs.evaluator import make_evaluator

    torch.set_num_threads(int(numbers.pop("threads", 1)))
    path, accuracy = make_evaluator(
        data, given.get("out"), **numbers, tell=lambda text: print(text, file=sys.stderr, flush=True)
    )
    print(f"{path}: {accuracy:.2%} of the test images right")
    return 0


def _number(key: str, text: str) -> int | float:
    """Return a number of at least 0, or of at least 1 for what is counted. UserError for another text."""
    value = parse_value(text, f"--{key}")
    least = 0 if key in ("seed", "augmentation") else 1
    kinds = (int, float) if NUMBERS[key] is float else (int,)
    if isinstance(value, bool) or not isinstance(value, kinds) or value < least:
        raise UserError(f"--{key} must be a number of at least {least}, got {text!r}")
    return value
