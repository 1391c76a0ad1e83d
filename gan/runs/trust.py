"""Consent: what a configuration that somebody else may have written does only if its user allows it.

Words of the command line and arguments in Python are the user's own, and need none. `--allow-import PACKAGE` is the
consent to code of a package, and `--allow-import pytorch_lightning` that to Lightning's objects which write elsewhere.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan.base.choices import foreign_names
from gan.base.errors import UserError
from gan.base.importing import lies_in
from gan.data.dataset import importable
from gan.runs.config import Part, measuring
from gan.runs.objects import KEYS, named_classes

LIGHTNING = "pytorch_lightning"
LOCAL_LOGGERS = ("TensorBoardLogger", "CSVLogger")  # the others send what they log to a server
FOLDER = re.compile(r"dir|path|root|folder")  # in the name of an argument: it counts from the working directory
ADDRESS = re.compile(r"^~|\$|://|::|\0")  # a text that a library expands, or reads as an address


def trusted(sources: Sequence[Part], allow_import: Collection[str]) -> list[Part]:
    """Return the parts of a new run's configuration, whose files may name code in the working directory alone.

    With `allow_import` they may name code of these packages, too, and it is imported from where a run found it.
    """
    checked = []
    for part in sources:
        if part.name is not None:
            names = [n for n in _named(part.tree) if not lies_in(n.split(".")[0], Path.cwd())]
            refuse_names(names, allow_import, part.where)
            if part.format is not None:
                _refuse_writing_elsewhere(part.tree, None, allow_import, part.where)
            if not allow_import:
                part = replace(part, tree={key: value for key, value in part.tree.items() if key != "pythonpath"})
        checked.append(part)
    return checked


def refuse_foreign_code(tree: Mapping[str, Any], directory: Path, allow_import: Collection[str], where: str) -> None:
    """Raise UserError if a run's configuration names code that is not allowed, or writes outside its directory."""
    refuse_names(_named(tree), allow_import, where)
    _refuse_writing_elsewhere(tree, directory, allow_import, where)


def refuse_links(directory: Path) -> None:
    """Raise UserError for a link that leads out of a run's directory. Going on would write where it leads."""
    home = directory.resolve()
    for pattern in ("*", "checkpoints/*", "samples/*"):
        for path in sorted(home.glob(pattern)):
            if path.is_symlink() and not _lies_below(path, home):
                advice = "put what it leads to in its place, or link the whole run"
                raise UserError(
                    f"{path}: is a link that leads out of the run, and going on would write there; {advice}"
                )


def _lies_below(path: Path, home: Path) -> bool:
    """Return whether a link ends below a directory. One that leads in a circle does not."""
    try:
        return path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):
        return False


def refuse_names(names: Sequence[str], allow_import: Collection[str], where: str) -> None:
    """Raise UserError for the first name that is of a package which is not allowed."""
    allowed = packages(allow_import)
    for name in names:
        package = name.split(".")[0]
        if package not in allowed:
            raise UserError(f"{where}: names code by its path, {name}; if you trust it, give --allow-import {package}")


def packages(allow_import: Collection[str]) -> Collection[str]:
    """Return the packages that are allowed. UserError for what is no collection of names."""
    allowed = [allow_import] if isinstance(allow_import, str) else allow_import
    if not isinstance(allowed, Collection) or not all(isinstance(name, str) for name in allowed):
        raise UserError(f"allow_import must be names of packages, got {allow_import!r}")
    return allowed


def _named(tree: Mapping[str, Any]) -> list[str]:
    """Return the names of code outside `gan` and Lightning, in the order of the sections."""
    classes = named_classes(tree.get("trainer", {}))
    return [
        *foreign_names(tree.get("model")),
        *foreign_names(importable(tree.get("data", {}).get("name")), called=True),
        *foreign_names(measuring(tree), called=True),
        *(n for n in foreign_names(list(classes)) if n.split(".")[0] != LIGHTNING),
    ]


def _refuse_writing_elsewhere(
    tree: Mapping[str, Any], directory: Path | None, allow_import: Collection[str], where: str
) -> None:
    """Raise UserError for an object of Lightning that would write outside the run, or to a server."""
    if LIGHTNING in packages(allow_import):
        return
    settings = tree.get("trainer", {})
    for key in set(KEYS) & settings.keys():
        for item in settings[key] if isinstance(settings[key], list) else [settings[key]]:
            choice = item if isinstance(item, Mapping) else {"class_path": item}
            name = str(choice.get("class_path")).rpartition(".")[2]
            place = next(_outside(choice.get("init_args"), "", directory), None)
            if key == "logger" and isinstance(choice.get("class_path"), str) and name not in LOCAL_LOGGERS:
                place = "a server"
            if place is not None:
                raise UserError(
                    f"{where}: trainer.{key} {name} writes to {place}, outside the run; if you trust it, give "
                    f"--allow-import {LIGHTNING}"
                )


def _outside(value: Any, name: str, directory: Path | None) -> Iterator[str]:
    """Yield the texts in an object's arguments that lead out of the run's directory. Without one all whole paths do."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _outside(item, str(key), directory)
    elif isinstance(value, list):
        for item in value:
            yield from _outside(item, name, directory)
    elif isinstance(value, str):
        home = Path("/run") if directory is None else directory.resolve()
        place = (Path.cwd() if FOLDER.search(name) else home) / value
        if ADDRESS.search(value) or not place.resolve().is_relative_to(home):
            yield repr(value)
