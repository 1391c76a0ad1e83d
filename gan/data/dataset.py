"""The registry of data sets, and what a data-set class must offer to stand beside them.

A user's own class needs no registration: `--data.name mylab.data.Blobs`, or with parameters for its constructor
`{name: mylab.data.Blobs, blobs: 8}` (keyword-only, annotated arguments are checked).
"""

from pathlib import Path
from typing import Any, Protocol

from gan.data.fashion_mnist import FashionMNIST
from gan.data.folder import Folder
from gan.data.glyphs import Glyphs
from gan.data.mnist import MNIST
from gan.data.notmnist import NotMNIST
from gan.data.split import LoadedData, Split

__all__ = ["DATASETS", "Dataset", "LoadedData", "Split"]


class Dataset(Protocol):
    """A set of images with labels. The attributes are known before anything is read.

    Where the classes depend on the files, a further method `look(root: Path)` sets `class_names`. It is called before
    all others, in every process, and should read no more than it must.
    """

    name: str
    image_shape: tuple[int, int, int]  # (C, H, W)
    class_names: tuple[str, ...]
    sources: tuple[str, ...]  # allowed values of `source`, the default among them being "auto"
    splits: tuple[str, ...]  # allowed values of `split`, the default first

    def prepare(self, root: Path, source: str) -> None:
        """Called in one process of each machine, first: the only place that may download."""

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Called in every process, after `prepare`; the same result in each."""


DATASETS: dict[str, Any] = {
    "fashion_mnist": FashionMNIST,
    "folder": Folder,
    "glyphs": Glyphs,
    "mnist": MNIST,
    "notmnist": NotMNIST,
}
