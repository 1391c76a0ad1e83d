"""Imports code from outside the package: by dotted path, and from the folder in which a run found its own."""

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from gan.base.errors import UserError


def import_path(path: str, kind: str) -> Any:
    """The object at a dotted path, from any importable package (the working directory counts as one).

    UserError, which names file and line, if the module cannot be imported. The cause stays attached.
    """
    module_name, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # of the path, or whatever the module raises
        advice = "it must be importable from here"
        if not isinstance(error, ImportError | AttributeError | ValueError | TypeError):
            place = traceback.extract_tb(error.__traceback__)[-1]
            file, line = getattr(error, "filename", place.filename), getattr(error, "lineno", place.lineno)
            advice = f"mend {file}, line {line}"
        raise UserError(f"{kind}: cannot import {path!r} ({type(error).__name__}: {error}); {advice}") from error


def import_from(directory: str | None) -> None:
    """Let user code be imported from a directory, as it was where its run began.

    Modules of the same names that were imported from elsewhere are forgotten, unless a new process would find them
    elsewhere, too.
    """
    if not directory:
        return
    if directory not in sys.path:
        sys.path.append(directory)
    _forget_namesakes(Path(directory))


@contextmanager
def import_folders_restored() -> Iterator[None]:
    """Restore the folders that code is imported from at the exit."""
    path = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = path


def lies_in(package: str, directory: Path) -> bool:
    """Whether a package, which need not be imported yet, would be imported from a directory."""
    spec = PathFinder.find_spec(package, [str(directory)])
    found = PathFinder.find_spec(package, [*sys.path, str(directory)])
    if spec is None or found is None or found.origin != spec.origin:
        return False
    return set(found.submodule_search_locations or ()) == set(spec.submodule_search_locations or ())


def _forget_namesakes(directory: Path) -> None:
    """Forget the imported modules that a new process would import from this directory, but that came from elsewhere."""
    names = {name.split(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)}
    for name in names - sys.stdlib_module_names:
        if not ((directory / name).is_dir() or (directory / f"{name}.py").is_file()):
            continue
        module = sys.modules.get(name)
        if module is None or not lies_in(name, directory):
            continue
        if not Path(str(getattr(module, "__file__", None))).resolve().is_relative_to(directory.resolve()):
            for imported in [other for other in sys.modules if other == name or other.startswith(f"{name}.")]:
                del sys.modules[imported]
