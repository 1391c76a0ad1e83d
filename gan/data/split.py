"""What a data set hands over: images and labels as plain tensors, and where they came from."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan.base.errors import UserError


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


@dataclass(frozen=True)
class LoadedData:
    """A data set in memory. Training sees `train`, selection `held_out`; what is reported is measured on `test`.

    `provenance` (plain JSON values) goes beside every number: name, source, split, files and their sha256, counts,
    whether the files are the official ones, whether the held-out images are also trained on.
    """

    name: str
    source: str
    train: Split
    held_out: Split
    test: Split
    provenance: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        return {"train": len(self.train), "held_out": len(self.held_out), "test": len(self.test)}
