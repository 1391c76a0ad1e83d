"""One shape for every extractor: what it is called, what it reads, and what it gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan.base.errors import UserError


class Features(NamedTuple):
    """What an extractor gives for N images, in float32 on the CPU."""

    features: Tensor  # (N, D)
    logits: Tensor | None  # (N, K), of its classes if it has any


@dataclass(frozen=True)
class Extractor:
    """A network with what a metric row says of it. Numbers compare only when they come from the same one.

    A choice `evaluation.extractor` names a function of keyword-only parameters that returns an Extractor: one of
    `EXTRACTORS`, or an importable path.
    """

    name: str
    version: int
    sha256: str  # of its weights: 64 hex digits
    network: nn.Module  # uint8 images (N, C, H, W) -> features (N, D), logits (N, K) or None
    num_features: int  # D
    image_shape: tuple[int | None, int | None, int | None]  # (C, H, W) that it reads; None: any number
    num_classes: int = 0  # K; 0 without logits
    batch: int = 250  # images at a time; the fastest of 100 ... 5,000 on two cores for the classifiers of this package

    def to(self, device: torch.device | str) -> "Extractor":
        """Move the network to a device and return the extractor."""
        self.network.to(device)
        return self

    def refuse(self, images: Tensor, whose: str) -> None:
        """Raise UserError for images of another type or shape than this network reads."""
        shape = tuple(images.shape[1:])
        if images.dtype != torch.uint8 or len(shape) != 3:
            raise UserError(f"{whose}: extractor {self.name} reads uint8 (N, C, H, W), not {images.dtype} of {shape}")
        if any(size not in (None, found) for size, found in zip(self.image_shape, shape, strict=True)):
            wanted = " x ".join("any" if size is None else str(size) for size in self.image_shape)
            raise UserError(
                f"{whose}: extractor {self.name} reads images of {wanted}, not {' x '.join(map(str, shape))}"
            )

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        """Return what the network gives for uint8 images (N, C, H, W), in batches. N may be 0."""
        if not len(images):
            logits = torch.empty(0, self.num_classes) if self.num_classes else None
            return Features(torch.empty(0, self.num_features), logits)
        device = next((p.device for p in self.network.parameters()), images.device)
        seen = [self.network(batch.to(device)) for batch in images.split(self.batch)]
        features = torch.cat([part[0].cpu() for part in seen])
        return Features(features, torch.cat([part[1].cpu() for part in seen]) if self.num_classes else None)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Within it, float32 matrices are multiplied in float32: not in TF32 or bfloat16, as "high" and "medium" allow.

    `torch.set_float32_matmul_precision("medium")` changes features even on a CPU, and cuDNN's convolutions use TF32
    by default. A metric must depend on neither (docs/gpu.md, row `outputs`).
    """
    backends: Any = torch.backends
    changes: list[tuple[Callable[[Any], None], Any, Any]]  # how to set, value before, value here
    if hasattr(backends.cuda.matmul, "fp32_precision"):  # torch >= 2.9
        places = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
        changes = [(partial(setattr, place, "fp32_precision"), place.fp32_precision, "ieee") for place in places]
    else:
        changes = [
            (torch.set_float32_matmul_precision, torch.get_float32_matmul_precision(), "highest"),
            (partial(setattr, backends.cudnn, "allow_tf32"), backends.cudnn.allow_tf32, False),
        ]
    try:
        for change, _, here in changes:
            change(here)
        yield
    finally:
        for change, before, _ in changes:
            change(before)
