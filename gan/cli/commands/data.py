"""`gan data` prepares and verifies a data set."""

import json
from collections.abc import Sequence
from typing import Any

from gan.base.errors import UserError
from gan.base.imports import cheap_imports
from gan.cli.flags import parse_flags
from gan.cli.help import DATA_HELP
from gan.runs.config import canonical, laid_over


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    if "--help" in words or "-h" in words:
        from gan.data.dataset import table

        print(DATA_HELP.format(table=table()), end="")
        return 0
    try:
        arguments, _ = settings(words, "gan data")
    except UserError as error:
        raise UserError(f"{error}; see gan data --help") from None
    from gan.data.datamodule import ImageDataModule

    data = ImageDataModule(**arguments)
    data.prepare_data()
    data.setup()
    print(json.dumps(data.loaded.provenance, indent=1))
    return 0


def settings(words: list[str], command: str, own: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the arguments of `ImageDataModule` that NAME and the flags beside it give, and a command's own flags."""
    place = 0
    while place < len(words) and words[place].startswith("--"):
        place += 1 if "=" in words[place] else 2
    if place >= len(words):
        raise UserError(f"which data set? Give {command} NAME")
    flags = parse_flags(words[:place] + words[place + 1 :], words=("config", *own))
    for key in ["config"] * bool(flags.words["config"]) + flags.names:
        if not key.startswith("data.") or key in ("data.name", "data.name.name"):
            raise UserError(f"--{key}: {command} takes a name and keys of that data set, --data.KEY=VALUE")
    named = canonical({"data": {"name": words[place]}}, "")
    with cheap_imports():
        from gan.runs.plan import complete_data

    return complete_data(laid_over(named, flags.tree)["data"]), {
        k: v[-1] for k, v in flags.words.items() if k in own and v
    }
