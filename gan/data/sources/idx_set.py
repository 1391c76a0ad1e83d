"""MNIST and its kin: 28x28 grey images of ten classes in four idx files of the same names and sizes.

Split "text" is that of TensorFlow's reader, on which the early GAN tutorials trained: the first 5,000 images are held
out, the other 55,000 are trained on. Split "full" trains on all 60,000. Its held-out images are the same 5,000, which
are then *also trained on*.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from gan.base.errors import UserError
from gan.base.notes import say
from gan.data.files.download import DownloadError, download
from gan.data.files.idx import Bytes, idx_sha256, read_images_and_labels
from gan.data.files.names import find_file, near_misses
from gan.data.sources.kin import Kin, in_torchvision, of_others, owners
from gan.data.split import LoadedData, Official, Split, cut

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
COUNTS = {"train": 60_000, "t10k": 10_000}
HELD_OUT = 5_000  # the first training images (TensorFlow's `validation_size`)
MAX_BYTES = 64 * 2**20  # of one uncompressed file; the largest has 47,040,016


class IdxSet:
    """What MNIST and its kin share: where the files are looked for, how they are downloaded, read and split.

    Args:
        counts: images in the files of each part.
        held_out: how many of the first training images are held out.
    """

    image_shape = (1, 28, 28)
    splits = ("text", "full")
    name: str
    class_names: tuple[str, ...]
    sources: tuple[str, ...]
    kin: Kin  # its other names; torchvision's mirrors, md5s and folder are used
    folders: tuple[str, ...]  # below the root, looked into after the root itself and torchvision's folder
    evaluator: str | None = None  # see LoadedData
    elsewhere: tuple[str, ...] = ()  # see Dataset
    root_is_given = False  # see Dataset
    instead = ""  # what the line about a failed download offers besides

    def __init__(self, counts: dict[str, int], held_out: int) -> None:
        self.counts, self.held_out = counts, held_out
        self.download_failure = "no download was tried"
        self.download_folder = Path(self.kin.published, "raw")  # torchvision's
        self.looked_in = (Path(), self.download_folder, *map(Path, self.folders))

    def prepare(self, root: Path, source: str) -> None:
        """Download the four files to torchvision's folder if the source asks for them and they are not there.

        A root that was given and holds files with nearly these names is refused: they may have been meant.
        """
        if self.find_folder(root, source):
            return
        if source == "idx" or (source == "auto" and self.root_is_given and near_misses(root, FILES)):
            raise UserError(self._nothing_found(root))
        published = in_torchvision(self.kin.published)
        try:
            download(published.resources, published.mirrors, root / self.download_folder)
        except DownloadError as error:
            self.download_failure = f"download failed: {error}"
            if source == "download" or self.root_is_given or not self.elsewhere:
                raise UserError(
                    f"{self.name}: {self.download_failure}; put {FILES[0]}[.gz] and its three companions into {root} "
                    f"by hand{self.instead}"
                ) from None

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Read and check the images. Downloaded files are idx files like any others: their source is "idx"."""
        folder = self.find_folder(root, source)
        if folder is None:
            raise UserError(self._nothing_found(root))
        arrays: dict[str, Bytes] = {}
        for part, count in self.counts.items():
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
        known = owners(folder, sha256)
        if others := of_others(known, self.kin):
            names, other = others
            raise UserError(
                f"{folder}: {names} are {other}, not {self.kin}; use --data.name {other.name}, or point --data.root at "
                f"the files of {self.kin.title}"
            )
        official, about = self.verify(folder, known)
        training, test = (
            to_split(arrays[f"{part}-images-idx3-ubyte"], arrays[f"{part}-labels-idx1-ubyte"]) for part in self.counts
        )
        return self.loaded(
            source="idx",
            split=split,
            train=cut(training, self.held_out) if split == "text" else training,
            held_out=cut(training, 0, self.held_out),
            test=test,
            files=sha256,
            official=official,
            about=about,
        )

    def verify(self, folder: Path, known: Collection[str]) -> tuple[Official, dict[str, Any]]:
        """True or "unknown", and which files are unverified. `known` are those that are known to be official.

        torchvision publishes md5s of the .gz files only.
        """
        unverified = [name for name in FILES if name not in known]
        if unverified:
            say(
                f"note: {folder}: whether {', '.join(unverified)} are the official {self.kin.title} is unknown: only "
                "the .gz files have published checksums (noted in the provenance)"
            )
        return "unknown" if unverified else True, {"unverified_files": unverified}

    def loaded(self, split: str, **fields: Any) -> LoadedData:
        """The data of one split, with the fields that all its sources share."""
        full = split == "full"
        return LoadedData(name=self.name, split=split, held_out_is_trained_on=full, evaluator=self.evaluator, **fields)

    def find_folder(self, root: Path, source: str) -> Path | None:
        """The first folder that holds any of the four files, raw or gzipped; UserError when it holds only some."""
        for folder in [self.download_folder] if source == "download" else self.looked_in:
            try:
                missing = [name for name in FILES if not find_file(root / folder, name).exists()]
            except OSError as error:
                raise UserError(
                    f"{root / folder}: cannot be looked into ({error.strerror}); check its rights"
                ) from None
            if not missing:
                return root / folder
            if len(missing) < len(FILES) and source != "download":  # a download completes what is there
                raise UserError(
                    f"{root / folder}: {', '.join(missing)} missing (raw or .gz) beside the other files of "
                    f"{self.kin.published}; add what is missing, or take the others away"
                )
        return None

    def _nothing_found(self, root: Path) -> str:
        return (
            f"{self.name}: no idx files in {root} (nor in its {', '.join(map(str, self.looked_in[1:]))})"
            f"{near_misses(root, FILES)}; "
            f"put {FILES[0]}[.gz] and its three companions there, point --data.root at them, or give "
            "--data.source=download"
        )


def to_split(images: Bytes, labels: Bytes) -> Split:
    """Arrays (N, H, W) and (N,) as a split."""
    return Split(torch.from_numpy(images)[:, None], torch.from_numpy(labels).long())  # (N, H, W) -> (N, 1, H, W)
