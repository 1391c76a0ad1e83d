"""The variants. Each is one system, one class and one file. A new file is found by itself; nothing has to name it."""

import importlib
import pkgutil

from gan.engine.game import AdversarialModule

_FILES = [importlib.import_module(f"{__name__}.{file.name}") for file in pkgutil.iter_modules(__path__)]
VARIANTS: dict[str, type[AdversarialModule]] = {
    name: value
    for module in _FILES
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, AdversarialModule) and value.__module__ == module.__name__
}
