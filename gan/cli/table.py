"""Tables of text for the terminal."""

import json
from collections.abc import Sequence
from typing import Any


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines. Each column but the last is as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in padded)


def text(value: Any) -> str:
    """Return a value of a configuration as one short word, as JSON but without the quotes of a text."""
    written = value if isinstance(value, str) else json.dumps(value, default=str)
    return "".join(c if c.isprintable() else " " for c in written)
