"""Letters A to J gathered one PNG at a time: bounded in memory, with an account of what could not be read."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan.base.errors import UserError
from gan.base.notes import say
from gan.data.files.idx import Bytes
from gan.data.files.pictures import PictureError, decode_picture
from gan.data.split import Official

LETTERS = "ABCDEFGHIJ"
SIDE = 28
MAX_FILES = 600_000  # the large archive has about 529,000
MAX_FILE_BYTES = 2**16  # of one PNG; 28x28 grey pixels need less than 1,000
LISTED = 20  # unreadable files that the provenance names


@dataclass(frozen=True)
class Letters:
    """Images (N, 28, 28) and labels (N,), 0 to 9 for A to J, and what the provenance says of their source."""

    images: Bytes
    labels: Bytes
    files: dict[str, str]  # name -> sha256
    official: Official
    unreadable: dict[str, Any]  # their `count`, and the first `files`: name -> why

    @property
    def about(self) -> dict[str, Any]:
        """The facts without the arrays, as plain JSON values."""
        return {"files": self.files, "official": self.official, "unreadable": self.unreadable}


class Gathering:
    """Decodes PNGs and keeps their pixels: 785 bytes each, in buffers that grow.

    Args:
        source: the archive or folder that they come from, for messages.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self.pixels, self.labels = bytearray(), bytearray()
        self.unreadable: dict[str, str] = {}  # the first ones: name -> why
        self.bad = [0] * len(LETTERS)  # unreadable files of each letter

    def add(self, name: str, label: int, content: bytes) -> None:
        """Decode one file; UserError for a sound picture that is not 28x28 grey."""
        if len(content) > MAX_FILE_BYTES:
            raise UserError(
                f"{self.source}: {name!r} has {len(content):,} bytes or more, at most {MAX_FILE_BYTES:,} are allowed; "
                "take the file out"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's, on damaged metadata
                picture = decode_picture(content)
        except PictureError as error:
            self.bad[label] += 1
            if len(self.unreadable) < LISTED:
                self.unreadable[name] = str(error)
            return
        if picture.size != (SIDE, SIDE) or picture.mode != "L":
            width, height = picture.size
            raise UserError(
                f"{self.source}: {name!r} is a picture of {width} x {height} in mode {picture.mode}, {SIDE} x {SIDE} "
                "in mode L (8-bit grey) are needed; convert it or take it out, or use --data.name folder"
            )
        self.pixels += picture.tobytes()
        self.labels.append(label)

    def finish(self, files: dict[str, str], official: Official) -> Letters:
        """All that could be read; UserError where a letter is missing or more than half of it is unreadable."""
        images = np.frombuffer(self.pixels, dtype=np.uint8).reshape(-1, SIDE, SIDE)
        labels = np.frombuffer(self.labels, dtype=np.uint8)
        good = np.bincount(labels, minlength=len(LETTERS)).tolist()
        examples = [f"{name!r}: {reason}" for name, reason in self.unreadable.items()]
        for letter, readable, bad in zip(LETTERS, good, self.bad, strict=True):
            if bad > readable:
                raise UserError(
                    f"{self.source}: {bad:,} of the {readable + bad:,} files of letter {letter} are unreadable "
                    f"(first of all: {examples[0]}); fetch it again"
                )
        if missing := [letter for letter, readable in zip(LETTERS, good, strict=True) if not readable]:
            raise UserError(
                f"{self.source}: no PNGs of {', '.join(missing)}; needed are folders A to J of PNGs, as "
                "notMNIST_small/A/….png; is this notMNIST?"
            )
        if examples:
            say(
                f"warning: {self.source}: {sum(self.bad):,} of {len(labels) + sum(self.bad):,} files are unreadable "
                f"and left out, such as {examples[0]} (noted in the provenance)"
            )
        return Letters(images, labels, files, official, {"count": sum(self.bad), "files": self.unreadable})
