"""Files by their names: other programs' spellings are read, and what lies near a name that is missing is told."""

import difflib
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

MAX_ENTRIES = 10_000  # of one folder that are looked at
MAX_FOLDERS = 50  # below a root that are looked into


def find_file(folder: Path, name: str) -> Path:
    """The raw file if it is there, else the gzipped one, there or not.

    Case does not matter, nor does which of `-`, `.` and `_` stands between the words: `train-images.idx3-ubyte` is
    `train-images-idx3-ubyte`. The exact name goes first.
    """
    exact = folder / name, folder / f"{name}.gz"
    for path in exact:
        if path.is_file():
            return path
    alike = [entry for entry in _entries(folder) if _plain(entry) == _plain(name) and (folder / entry).is_file()]
    return folder / min(alike) if alike else exact[1]


def near_misses(root: Path, wanted: Sequence[str]) -> str:
    """The middle of an error line: what in `root` or near it may have been meant. Empty where there is nothing.

    `wanted` are the names that were looked for in vain.
    """
    try:
        if not root.is_dir():
            close = difflib.get_close_matches(root.name, _entries(root.parent), n=1)
            return f"; did you mean {root.parent / close[0]}?" if close else ""
        folders = [name for name in _entries(root) if (root / name).is_dir()][:MAX_FOLDERS]
        plain = {_plain(name) for name in wanted}
        for folder in folders:
            if plain & {_plain(entry) for entry in _entries(root / folder)}:
                return f"; did you mean {root / folder}?"
        close = [entry for entry in _entries(root) if difflib.get_close_matches(_plain(entry), plain, n=1, cutoff=0.75)]
    except OSError:
        return ""
    return f"; it holds {', '.join(map(repr, close[:3]))}, which is no name of these" if close else ""


def _entries(folder: Path) -> list[str]:
    """Names in a folder, sorted; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, MAX_ENTRIES))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _plain(name: str) -> str:
    """A name without what programs spell differently."""
    return name.lower().removesuffix(".gz").replace(".", "-").replace("_", "-")
