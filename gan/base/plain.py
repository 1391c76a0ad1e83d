"""Plain values: what a configuration may hold, whether it comes from a file, from flags or from Python."""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gan.base.errors import UserError

MAX_VALUES, MAX_DEPTH = 100_000, 50  # of a tree: with aliases a small file can make a huge one
MAX_INTEGER = 2**63 - 1


def plain(tree: Any, where: str) -> Any:
    """A copy of a tree as dicts, lists, texts, numbers, booleans and None, so that it can be written and read again.

    Tuples become lists, paths texts, numbers of NumPy and PyTorch those of Python, and a timedelta its seconds.
    UserError, which begins with `where`, for other objects, and for a tree that is too large, too deep or in itself.
    """
    left = MAX_VALUES

    def copy(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > MAX_DEPTH:
            raise UserError(
                f"{where}: stands for more than {MAX_VALUES:,} values, or for some more than {MAX_DEPTH} levels deep "
                "or within themselves"
            )
        if isinstance(value, Mapping):
            return {_scalar(key, where): copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [copy(item, depth + 1) for item in value]
        return _scalar(value, where)

    return copy(tree, 0)


def _scalar(value: Any, where: str) -> Any:
    """A value that is no list and no mapping, or a key."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise UserError(f"{where}: a whole number of {value.bit_length()} bits; at most 63 are allowed")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, os.PathLike):
        return _scalar(os.fspath(value), where)
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a number of NumPy or PyTorch
        return _scalar(value.item(), where)
    raise UserError(
        f"{where}: a value of type {type(value).__name__} cannot be written into a configuration; give numbers, "
        "texts, lists or mappings (a text that looks like a date stands in quotes)"
    )
