"""The variants. Each is one system, one class and one file. A new file is found by itself; nothing has to name it.

A variant is imported when it is asked for, since it imports Lightning.
"""

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.base.errors import UserError
from gan.base.importing import import_path
from gan.base.words import nearest

if TYPE_CHECKING:
    from gan.engine.game import AdversarialModule

    VARIANTS: dict[str, type[AdversarialModule]]

BASE = "AdversarialModule"


def _classes(file: Path) -> list[str]:
    """Return the names of the variants that a file defines."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    return [node.name for node in classes if any(isinstance(base, ast.Name) and base.id == BASE for base in node.bases)]


# The name of each variant, and its module.
VARIANT_MODULES = {
    name: f"{__name__}.{file.stem}" for file in sorted(Path(__path__[0]).glob("*.py")) for name in _classes(file)
}


def __getattr__(name: str) -> Any:
    """`VARIANTS`: every variant's class, by name."""
    if name == "VARIANTS":
        return _every()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _every() -> dict[str, "type[AdversarialModule]"]:
    return {name: variant_class(name) for name in VARIANT_MODULES}


def variant_class(name: str | None, where: str = "model") -> "type[AdversarialModule]":
    """A variant by its name or importable path. UserError, which says where it was named, for what is none."""
    if name is None:
        known = ", ".join(sorted(VARIANT_MODULES))
        raise UserError(f"no variant is named; give --model NAME or a config. Allowed: {known}")
    if name in VARIANT_MODULES:
        return getattr(importlib.import_module(VARIANT_MODULES[name]), name)
    if "." not in name:
        raise UserError(f"{where}: unknown variant {name!r}; {nearest(name, VARIANT_MODULES)}")
    if name.startswith("gan.") and not name.startswith(f"{__name__}."):  # hostile files may name anything
        raise UserError(f"{where}: {name} is not a variant; those of gan are in {__name__}")
    from gan.engine.game import AdversarialModule

    found = import_path(name, where)
    if not (isinstance(found, type) and issubclass(found, AdversarialModule)):
        raise UserError(f"{where}: {name} is not a variant (a subclass of gan.engine.game.AdversarialModule)")
    return found
