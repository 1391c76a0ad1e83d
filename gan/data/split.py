"""What a data set hands over: images and labels as plain tensors, and where they come from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from gan.base.choices import Choice
from gan.base.errors import UserError

Official = bool | Literal["unknown"]


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) uint8 and their labels (N,) int64, N at least 1."""

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != torch.uint8 or images.ndim != 4 or len(images) == 0:
            raise UserError(f"images must be (N, C, H, W) uint8, N > 0; got {tuple(images.shape)} {images.dtype}")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            raise UserError(f"labels must be ({len(images)},) int64; got {tuple(labels.shape)} {labels.dtype}")

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def sha256(self) -> str:
        """Digest of shape, pixels and labels."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        for tensor in (self.images, self.labels):
            digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True)
class LoadedData:
    """A data set in memory, and where it comes from.

    Training sees the images of `train` and selection those of `held_out`. Reported numbers are measured on `test`.
    """

    name: str
    source: str  # where the images come from: "idx", "embedded"
    train: Split
    held_out: Split
    test: Split
    split: str = ""  # which images are trained on; `ImageDataModule` fills in the one that it asked for
    files: Mapping[str, str] = field(default_factory=dict)  # name -> sha256 of its content
    processing: Mapping[str, str] = field(default_factory=dict)  # what made other images of the same files, if anything
    official: Official = "unknown"  # are these the files that the set's author published?
    held_out_is_trained_on: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)  # further facts of this set, as plain JSON values
    evaluator: Choice | None = None  # the extractor of such images: a key of EXTRACTORS, or {name: …, parameter: …}

    def __post_init__(self) -> None:
        shapes = {tuple(part.images.shape[1:]) for part in self._parts.values()}
        if len(shapes) > 1:
            raise UserError(f"data set {self.name}: all its images must have one shape, got {sorted(shapes)}")
        if self.official not in (True, False, "unknown"):
            raise UserError(f"data set {self.name}: official must be True, False or 'unknown', got {self.official!r}")
        if taken := self._stamp.keys() & self.about.keys():
            raise UserError(
                f"data set {self.name}: about repeats {', '.join(sorted(taken))}; use the field of that name"
            )
        try:
            json.dumps(self.provenance, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UserError(f"data set {self.name}: files and about must be plain JSON values ({error})") from None

    @property
    def counts(self) -> dict[str, int]:
        """Number of images in each part."""
        return {name: len(part) for name, part in self._parts.items()}

    @property
    def provenance(self) -> dict[str, Any]:
        """All that is known of the images' origin as plain JSON values, to stand beside every number."""
        return {**self._stamp, **self.about}

    @property
    def sha256(self) -> str:
        """Digest of what is measured against: the checksums of the files, or the pixels where there are no files.

        The pixels are those of `held_out` and `test`. Like the files they are the same whichever split is trained on.
        `processing` enters it, too.
        """
        known = sorted(self.files.items()) or [("held_out", self.held_out.sha256), ("test", self.test.sha256)]
        known += sorted(self.processing.items())
        return hashlib.sha256(repr(known).encode()).hexdigest()

    @property
    def _parts(self) -> dict[str, Split]:
        return {"train": self.train, "held_out": self.held_out, "test": self.test}

    @property
    def _stamp(self) -> dict[str, Any]:
        """What every data set says of itself."""
        return {
            "name": self.name,
            "source": self.source,
            "split": self.split,
            "counts": self.counts,
            "held_out_is_trained_on": self.held_out_is_trained_on,
            "files": dict(self.files),
            "data_sha256": self.sha256,
            "official": self.official,
        }


def share_of_inverted(given: float, name: str) -> float:
    """Return the option `inverted` of the data set `name`. UserError for what is no share from 0 to 1."""
    if not 0 <= given <= 1:
        raise UserError(f"{name}: inverted must be a share from 0 to 1, got {given}; give --data.inverted=0.5")
    return float(given)


def count_shared(images: Tensor, others: Tensor) -> int:
    """How many of the images (N, C, H, W) are also among `others`, pixel for pixel."""
    wanted = {image.tobytes() for image in images.cpu().numpy()}
    found = {content for image in others.cpu().numpy() if (content := image.tobytes()) in wanted}
    return sum(image.tobytes() in found for image in images.cpu().numpy())


def cut(split: Split, start: int, stop: int | None = None) -> Split:
    """Images start … stop - 1, as views: nothing is copied."""
    return Split(split.images[start:stop], split.labels[start:stop])


def split_in_order(every: Split, counts: Mapping[str, int], *, train_on_held_out: bool) -> tuple[Split, Split, Split]:
    """Train, held out and test, of images that lie in this order; `counts` has their numbers."""
    first = counts["train"]
    second = first + counts["held_out"]
    return cut(every, 0, second if train_on_held_out else first), cut(every, first, second), cut(every, second)
