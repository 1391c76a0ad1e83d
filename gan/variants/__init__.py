"""The variants. Each is one system, one class and one file. A new file is found by itself; nothing has to name it."""

import importlib
import pkgutil

from gan.base.errors import UserError
from gan.base.importing import import_path
from gan.base.words import nearest
from gan.engine.game import AdversarialModule

_FILES = [importlib.import_module(f"{__name__}.{file.name}") for file in pkgutil.iter_modules(__path__)]
VARIANTS: dict[str, type[AdversarialModule]] = {
    name: value
    for module in _FILES
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, AdversarialModule) and value.__module__ == module.__name__
}


def variant_class(name: str | None, where: str = "model") -> type[AdversarialModule]:
    """A variant by its name or importable path. UserError, which says where it was named, for what is none."""
    if name is None:
        raise UserError(f"no variant is named; give --model NAME or a config. Allowed: {', '.join(sorted(VARIANTS))}")
    if name in VARIANTS:
        return VARIANTS[name]
    if "." not in name:
        raise UserError(f"{where}: unknown variant {name!r}; {nearest(name, VARIANTS)}")
    if name.startswith("gan.") and not name.startswith(f"{__name__}."):  # hostile files may name anything
        raise UserError(f"{where}: {name} is not a variant; those of gan are in {__name__}")
    found = import_path(name, where)
    if not (isinstance(found, type) and issubclass(found, AdversarialModule)):
        raise UserError(f"{where}: {name} is not a variant (a subclass of gan.engine.game.AdversarialModule)")
    return found
