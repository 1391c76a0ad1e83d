"""Dataclasses from plain values."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from gan.base.choices import nearest
from gan.base.errors import UserError


def build(cls: Any, values: Mapping[str, Any], where: str) -> Any:
    """Return a dataclass made from plain values. UserError names a field that is unknown or missing."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            raise UserError(f"{where} has no field {key!r}; {nearest(key, fields)}")
    required = [n for n, f in fields.items() if f.default is dataclasses.MISSING is f.default_factory]
    missing = [name for name in required if values.get(name) is None]
    if missing:
        raise UserError(f"{where} needs {', '.join(missing)}")
    return cls(**values)
