"""The directory that `gan export` makes: the names of its files, and how they are recognised. Torch is not needed."""

import json
from pathlib import Path
from typing import Any

from gan.base.errors import UserError
from gan.base.plain import plain

# huggingface_hub's names, and two more.
WEIGHTS, CONFIG, CARD, ONNX, GRID = "model.safetensors", "config.json", "README.md", "model.onnx", "grid.png"
MAX_BYTES = 4_000_000  # of config.json


def weights_of(directory: Path) -> Path | None:
    """Return the file of weights in an export. None for a directory that is none. UserError for a part of one."""
    missing = [name for name in (WEIGHTS, CONFIG) if not (directory / name).is_file()]
    if len(missing) == 1:
        raise UserError(f"{directory}: an export without its {missing[0]}; take all files of the export")
    return None if missing else directory / WEIGHTS


def config_beside(weights: Path) -> dict[str, Any] | None:
    """Return the values of the config.json beside an export's weights. None for a file that is not in an export.

    UserError for a config.json that cannot be read.
    """
    file = weights.with_name(CONFIG)
    if weights.name != WEIGHTS or not file.is_file():
        return None
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        values = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file}: not readable as JSON ({error}); take the whole export anew") from None
    if not isinstance(values, dict):
        raise UserError(f"{file}: must be an object with what gan export wrote; take the whole export anew")
    return plain(values, str(file))
