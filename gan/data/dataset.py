"""The registry of data sets, and what a data-set class must offer to stand beside them.

A user's own class needs no registration: `--data.name mylab.data.Blobs`, or with parameters for its constructor
`{name: mylab.data.Blobs, blobs: 8}` (keyword-only, annotated arguments are checked).
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from gan.data.sources.fashion_mnist import FashionMNIST
from gan.data.sources.folder.folder import Folder
from gan.data.sources.glyphs.glyphs import Glyphs
from gan.data.sources.kmnist import KMNIST
from gan.data.sources.mnist import MNIST
from gan.data.sources.notmnist.notmnist import NotMNIST
from gan.data.sources.stacked_mnist import StackedMNIST
from gan.data.split import LoadedData, Split

__all__ = ["DATASETS", "Dataset", "LoadedData", "Split", "importable", "table"]


class Dataset(Protocol):
    """A set of images with labels. Its attributes are known before anything is read.

    A set whose classes depend on its files has one more method: `look(root: Path)`, which sets `class_names`. It is
    called first, in every process, and should read no more than it must.

    Parameters that are folders are named in `paths`; a run records them as absolute paths.

    A set of which "auto" may take other images where its root has none says so: `elsewhere` are the sources that do not
    look into the root, and `root_is_given` is set to True before anything is read if the user named the root. It must
    then raise UserError in place of taking others.
    """

    name: str
    image_shape: tuple[int, int, int]  # (C, H, W)
    class_names: tuple[str, ...]
    sources: tuple[str, ...]  # allowed values of `source`, the default among them being "auto"
    splits: tuple[str, ...]  # allowed values of `split`, the default first

    def prepare(self, root: Path, source: str) -> None:
        """Download what is needed. Called before `load`, in one process of each machine; nothing else may download."""

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Return the images. Called in every process, after `prepare`; each must get the same."""


DATASETS: dict[str, Any] = {
    "fashion_mnist": FashionMNIST,
    "folder": Folder,
    "glyphs": Glyphs,
    "kmnist": KMNIST,
    "mnist": MNIST,
    "notmnist": NotMNIST,
    "stacked_mnist": StackedMNIST,
}


def importable(choice: Any) -> Any:
    """The part of a choice of data set that may name code to import: None for a registered set, else the whole choice.

    The parameters of a registered set are plain values that its constructor checks. One may be a folder `my.fonts`.
    """
    name = choice.get("name") if isinstance(choice, Mapping) else choice
    return None if isinstance(name, str) and name in DATASETS else choice


def source_again(sources: tuple[str, ...], asked: str, source: str, name: str) -> str:
    """The one of a set's `sources` that gives the same images again, after `asked` gave those of `source` and `name`.

    It is `source`, or `name` where the images are those of another set. Where the set has no such word it is `asked`.
    """
    return next((word for word in (source, name) if word in sources), asked)


def table() -> str:
    """Name, sources, splits and own keys of each registered data set, in columns."""
    rows = [("NAME", "sources", "splits", "own keys")]
    for name, dataset in DATASETS.items():
        own = " ".join(inspect.signature(dataset).parameters) or "-"
        rows.append((name, " ".join(dataset.sources), " ".join(dataset.splits), own))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)) for row in rows)
    return "\n".join(f"  {line.rstrip()}" for line in lines)
