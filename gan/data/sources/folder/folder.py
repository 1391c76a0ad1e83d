"""Any folder of pictures, one sub-folder per class or none, resized to squares.

Folders called train, val and test are those parts. Where there are none, a hash of the resized pixels decides on a
picture's part (80 % train, 10 % held out, 10 % test): it does not change when files are added, and copies of a picture
are in one part. Split "hash" trains on the first part, "full" on the held-out images too.
"""

import hashlib
import os
import warnings
from collections import Counter
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import PIL
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from gan.base.errors import UserError
from gan.base.notes import is_first_process, say
from gan.data.files.idx import Bytes
from gan.data.files.pictures import MAX_BYTES, PictureError, decode_picture
from gan.data.sources.folder.pictures import Layout, Listing, Picture, find_layout, find_pictures
from gan.data.split import LoadedData, Split, count_shared, split_in_order

MAX_SIZE = 4096
MAX_TOTAL_BYTES = 2 * 2**30  # of all images in memory
BAR_FROM = 2_000  # files: fewer are read in a few seconds
RANGES = (1, 255, 65_535)  # of pixels of more than 8 bits
LISTED = 20  # unreadable files that the provenance names


class Folder:
    """Pictures from `root`: PNG, JPEG, BMP, WebP, TIFF, GIF (its first frame) or PPM, of any size.

    Each is resized so that its shorter side has `size` pixels, with Lanczos antialiasing, and its centre is cut out.
    Alpha is composited on white, grey of 16 or 32 bits is scaled to 8 bits; EXIF orientation is not applied.

    Args:
        test: a folder of test pictures elsewhere, with the classes of those in `root`.
        size: height and width of the images in pixels, 1 to 4096.
        colour: "rgb", or "grey" for one channel (ITU-R 601 luma).
    """

    name = "folder"
    sources = ("auto",)
    splits = ("hash", "full")
    paths = ("test",)  # see Dataset

    def __init__(self, *, size: int = 32, colour: Literal["grey", "rgb"] = "rgb", test: str | None = None) -> None:
        if not 1 <= size <= MAX_SIZE:
            raise UserError(f"data.size must be from 1 to {MAX_SIZE}, got {size}")
        self.colour = colour
        self.test = None if test is None else Path(test).expanduser()
        self.image_shape = (3 if colour == "rgb" else 1, size, size)
        self.class_names: tuple[str, ...] = ()

    def look(self, root: Path) -> None:
        """Take the names of the sub-folders for the classes, or of those in the folders of parts."""
        self.layout = find_layout(root, self.test)
        self.class_names = self.layout.class_names

    def prepare(self, root: Path, source: str) -> None:
        """Nothing is downloaded."""

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Read all pictures; those that cannot be read are left out, said and counted in the provenance."""
        self.look(root)
        listing = find_pictures(root, self.layout)
        total = len(listing.files) * prod(self.image_shape)
        if total > MAX_TOTAL_BYTES:
            raise UserError(
                f"{root}: {len(listing.files):,} pictures of {' x '.join(map(str, self.image_shape))} are {total:,} "
                f"bytes, at most {MAX_TOTAL_BYTES:,} are allowed; give a smaller --data.size, or fewer pictures"
            )
        reading = _Reading(root, self.layout, listing, self.image_shape)
        reading.run()
        reading.report(self.class_names)
        counts = {part: len(labels) for part, labels in reading.labels.items()}
        if not all(counts.values()):
            raise UserError(
                f"{root}: too few pictures: {', '.join(f'{part} {count}' for part, count in counts.items())}, but each "
                "part needs at least one (a hash of the pixels decides); add pictures"
            )
        train, held_out, test = split_in_order(Split(*reading.tensors()), counts, train_on_held_out=split == "full")
        if repeated := count_shared(test.images, train.images):
            say(
                f"warning: {root}: {repeated:,} of {len(test):,} test pictures are trained on, too, pixel for pixel "
                "(noted in the provenance); take them out of one of the two"
            )
        return LoadedData(
            self.name,
            "folder",
            train,
            held_out,
            test,
            split=split,
            files={"pictures": reading.sha256()},
            processing={"size": str(self.image_shape[1]), "colour": self.colour},
            official=False,
            held_out_is_trained_on=split == "full",
            about={
                "image_shape": list(self.image_shape),
                "class_names": list(self.class_names),
                "parts": {part: _below(folder, root) for part, folder in self.layout.folders.items()},
                "test_pictures_in_train": repeated,
                "pillow": PIL.__version__,  # decodes and resizes: another version may give other pixels
                "ignored_files": listing.ignored,
                "skipped_links": len(listing.links),
                "scaled": {f"0 to {top:,}": count for top, count in sorted(reading.scaled.items())},
                "unreadable": {
                    "count": len(reading.unreadable),
                    "first": dict(list(reading.unreadable.items())[:LISTED]),
                },
            },
        )


@dataclass
class _Reading:
    """One pass over the files: training images go straight to their place, the others wait for the end."""

    root: Path
    layout: Layout
    listing: Listing
    image_shape: tuple[int, int, int]
    unreadable: dict[str, str] = field(default_factory=dict)  # name -> why
    scaled: Counter[int] = field(default_factory=Counter)  # the range's end -> pictures of more than 8 bits
    labels: dict[str, list[int]] = field(default_factory=lambda: {"train": [], "held_out": [], "test": []})

    def run(self) -> None:
        files = self.listing.files
        self.images: Bytes = np.empty((len(files), *self.image_shape), dtype=np.uint8)
        self.waiting: dict[str, list[Bytes]] = {"held_out": [], "test": []}
        self.contents: dict[str, bytes] = {}  # name -> sha256
        hidden = len(files) <= BAR_FROM or not is_first_process()
        bar = tqdm(files, desc="reading pictures", unit="file", disable=hidden, mininterval=0.5)
        with bar, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, on damaged metadata
            for file in bar:
                self._read(file)

    def _read(self, file: Picture) -> None:
        try:
            with file.path.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
            self.contents[file.name] = hashlib.sha256(content).digest()
            picture = decode_picture(content, side=self.image_shape[1])
            pixels = to_pixels(picture, self.image_shape)
        except Exception as error:  # hostile bytes raise whatever a decoder meets
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self.unreadable[file.name] = " ".join(reason.split())[:160]
            return
        if is_wide(picture):
            self.scaled[range_end(picture)] += 1
        part = part_of(pixels) if file.part == "train" else file.part
        if file.part == "train" and part in self.layout.folders:  # it has pictures of its own
            part = "train"
        if part == "train":
            self.images[len(self.labels["train"])] = pixels
        else:
            self.waiting[part].append(pixels)
        self.labels[part].append(file.label)

    def report(self, class_names: tuple[str, ...]) -> None:
        """Say what was left out; UserError for a class of which more than half was."""
        labels = {file.name: file.label for file in self.listing.files}
        of_class = np.bincount(list(labels.values()))
        bad = np.bincount([labels[name] for name in self.unreadable], minlength=len(of_class))
        examples = [f"{name!r}: {reason}" for name, reason in self.unreadable.items()]
        for label in np.flatnonzero(2 * bad > of_class)[:1]:
            which = f"class {class_names[label]!r}: " if class_names else ""
            first = next(
                example for name, example in zip(self.unreadable, examples, strict=True) if labels[name] == label
            )
            raise UserError(
                f"{self.root}: {which}{bad[label]:,} of {of_class[label]:,} pictures cannot be read, such as {first}; "
                "mend them, or take them away"
            )
        if examples:
            say(
                f"warning: {self.root}: {len(examples):,} of {len(labels):,} pictures cannot be read and are left out, "
                f"such as {examples[0]} (noted in the provenance)"
            )
        if self.scaled.keys() - {RANGES[-1]}:
            kinds = ", ".join(f"{count:,} from 0 … {top:,}" for top, count in sorted(self.scaled.items()))
            say(
                f"note: {self.root}: the largest value in each picture of more than 8 bits decides how it is scaled: "
                f"{kinds} (noted in the provenance); save them with 8 bits if this is wrong"
            )
        if links := self.listing.links:
            say(
                f"warning: {self.root}: {len(links):,} links that lead out of the folder, or nowhere, are left out, "
                f"such as {links[0]!r}; copy the pictures, or make hard links"
            )

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) uint8 and labels (N,) int64 of all that could be read: train, held out, test."""
        stop = len(self.labels["train"])
        for images in self.waiting.values():
            for pixels in images:
                self.images[stop] = pixels
                stop += 1
        labels = [label for part in self.labels.values() for label in part]
        return torch.from_numpy(self.images)[:stop], torch.tensor(labels)

    def sha256(self) -> str:
        """Over name, NUL and content's sha256 of each file, in the order of the names."""
        digest = hashlib.sha256()
        for name, content in sorted(self.contents.items()):
            digest.update(os.fsencode(name) + b"\0" + content)
        return digest.hexdigest()


def part_of(pixels: Bytes) -> str:
    """`train`, `held_out` or `test`: the first 8 bytes of the pixels' sha256, modulo 10."""
    bucket = int.from_bytes(hashlib.sha256(pixels.tobytes()).digest()[:8], "big") % 10
    return {0: "test", 1: "held_out"}.get(bucket, "train")


def to_pixels(picture: Image.Image, image_shape: tuple[int, int, int]) -> Bytes:
    """A picture of any mode and size as (C, H, W) uint8; raises PictureError for pixels without a known range."""
    channels, height, width = image_shape
    if is_wide(picture):
        picture = _to_8_bits(picture)
    elif picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    picture = picture.convert("L" if channels == 1 else "RGB")
    square = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(height, width, channels).transpose(2, 0, 1)


def is_wide(picture: Image.Image) -> bool:
    """Whether its pixels are grey values of 16 or 32 bits."""
    return picture.mode.startswith(("I", "F"))


def range_end(picture: Image.Image) -> int:
    """The end of the range 0 … 1, 0 … 255 or 0 … 65535 that just holds all its values. PictureError beyond these.

    A file of 16 or 32 bits does not say what its white is, and many programs write 8-bit values into them.
    """
    values = np.asarray(picture)
    for top in RANGES:
        if values.min() >= 0 and values.max() <= top:  # false for NaN
            return top
    raise PictureError(f"pixels of mode {picture.mode} outside 0 … {RANGES[-1]:,}; save it with 8 or 16 bits")


def _to_8_bits(picture: Image.Image) -> Image.Image:
    top = range_end(picture)
    return Image.fromarray((np.asarray(picture).astype(np.float64) * (255 / top)).round().astype(np.uint8))


def _below(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
