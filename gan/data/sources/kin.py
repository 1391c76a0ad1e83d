"""Whose official files they are: MNIST and its kin publish idx files of the same names and sizes."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gan.data.files.names import find_file

OFFICIAL_SHA256 = {  # MNIST's uncompressed files, so that raw and re-gzipped copies count as official too
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class Kin(NamedTuple):
    """How a set is called, and what its images are."""

    name: str  # here
    published: str  # in torchvision
    title: str  # by its authors
    images: str

    def __str__(self) -> str:
        return f"{self.title}'s {self.images}"


DIGITS = Kin("mnist", "MNIST", "MNIST", "digits")
CLOTHES = Kin("fashion_mnist", "FashionMNIST", "Fashion-MNIST", "clothes")
CHARACTERS = Kin("kmnist", "KMNIST", "Kuzushiji-MNIST", "characters")
GZIPPED = (CLOTHES, CHARACTERS)  # known by torchvision's md5s, which are of the .gz files only


def in_torchvision(name: str) -> Any:
    """Return torchvision's class of a data set."""
    from torchvision import datasets  # takes a third of a second to import

    return getattr(datasets, name)


def owners(folder: Path, sha256: Mapping[str, str]) -> dict[str, Kin]:
    """Return whose official files they are, for those of which it is known.

    `sha256` has the digests of the uncompressed files, by the names of the raw files.
    """
    found = {}
    for file, digest in sha256.items():
        kin = DIGITS if digest in OFFICIAL_SHA256.values() else _owner_of_gzipped(find_file(folder, file), f"{file}.gz")
        if kin is not None:
            found[file] = kin
    return found


def _owner_of_gzipped(path: Path, published_as: str) -> Kin | None:
    if path.suffix.lower() != ".gz":
        return None
    with path.open("rb") as stream:
        md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return next((kin for kin in GZIPPED if (published_as, md5) in in_torchvision(kin.published).resources), None)


def of_others(known: Mapping[str, Kin], own: Kin | None = None) -> tuple[str, Kin] | None:
    """Return the names of files that are another set's than `own`, and that set; None if there are none.

    `known` is what `owners` returned. Of several other sets the first counts.
    """
    other = next((kin for kin in known.values() if kin != own), None)
    return None if other is None else (", ".join(file for file, kin in known.items() if kin == other), other)
