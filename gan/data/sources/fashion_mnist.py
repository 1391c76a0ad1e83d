"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747): idx files on disk, else a download."""

from pathlib import Path
from typing import Any

from gan.base.errors import UserError
from gan.base.notes import say
from gan.data.sources.idx_set import COUNTS, FILES, HELD_OUT, IdxSet, as_published
from gan.data.sources.mnist import OFFICIAL_SHA256 as DIGITS_SHA256
from gan.data.split import Official


class FashionMNIST(IdxSet):
    """28x28 grey pictures of clothes, 0 (background) to 255; the splits are MNIST's."""

    name = "fashion_mnist"
    class_names = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    sources = ("auto", "idx", "download")
    published = "FashionMNIST"
    folders = ("fashion_mnist", "fashion")

    def __init__(self) -> None:
        super().__init__(COUNTS, HELD_OUT)

    def verify(self, folder: Path, sha256: dict[str, str]) -> tuple[Official, dict[str, Any]]:
        """True or "unknown", and which files are unverified: torchvision publishes md5s of the .gz files only."""
        if digits := [name for name in FILES if sha256[name] in DIGITS_SHA256.values()]:
            raise UserError(
                f"{folder}: {', '.join(digits)} are MNIST's digits, not Fashion-MNIST's clothes; "
                "use --data.name mnist, or point --data.root at the files of Fashion-MNIST"
            )
        verified = as_published(self.published, folder)
        unverified = [name for name in FILES if name not in verified]
        if unverified:
            say(
                f"note: {folder}: whether {', '.join(unverified)} are the official Fashion-MNIST is unknown: only the "
                ".gz files have published checksums (noted in the provenance)"
            )
        return "unknown" if unverified else True, {"unverified_files": unverified}
