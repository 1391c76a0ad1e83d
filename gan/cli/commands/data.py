"""`gan data` prepares and verifies a data set."""

import json
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
        settings = _settings(words)
    except UserError as error:
        raise UserError(f"{error}; see gan data --help") from None
    from gan.data.datamodule import ImageDataModule

    data = ImageDataModule(**settings)
    data.prepare_data()
    data.setup()
    print(json.dumps(data.loaded.provenance, indent=1))
    return 0


def _settings(words: list[str]) -> dict[str, Any]:
    """Return the arguments of `ImageDataModule` that NAME and the flags before and after it give."""
    place = 0
    while place < len(words) and words[place].startswith("--"):
        place += 1 if "=" in words[place] else 2
    if place >= len(words):
        raise UserError("which data set? Give gan data NAME")
    flags = parse_flags(words[:place] + words[place + 1 :], words=("config",))
    for key in ["config"] * bool(flags.words["config"]) + flags.names:
        if not key.startswith("data.") or key in ("data.name", "data.name.name"):
            raise UserError(f"--{key}: gan data takes a name and keys of that data set, --data.KEY=VALUE")
    named = canonical({"data": {"name": words[place]}}, "")
    with cheap_imports():
        from gan.runs.plan import complete_data

    return complete_data(laid_over(named, flags.tree)["data"])
