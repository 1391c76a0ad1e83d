"""The first batch is checked once, against what the docs promise of batches: later ones cost nothing."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gan.base.errors import UserError

if TYPE_CHECKING:
    from gan.engine.game import AdversarialModule

ROUNDING = 1e-4  # by which a resized float image may leave [0, 1]


def refuse_first_batch(module: "AdversarialModule", batch: Any) -> None:
    """Raise UserError for a batch that is not (images, labels) of the module's shape, range and classes."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise UserError(f"a batch must be (images, labels), where labels may be None; got {_kind(batch)}")
    images, labels = batch
    _refuse_images(images, module.image_shape)
    if not module.needs_labels:
        if not isinstance(labels, Tensor | None):
            raise UserError(f"labels of a batch must be a tensor or None; got {_kind(labels)}")
        return
    if labels is None:
        raise UserError("the batches hold no labels, which this recipe learns from; give (images, labels)")
    _refuse_labels(labels, len(images), module.hparams["num_classes"])


def _refuse_images(images: Any, shape: tuple[int, int, int]) -> None:
    if not isinstance(images, Tensor) or not (images.dtype == torch.uint8 or images.is_floating_point()):
        raise UserError(f"images of a batch must be a tensor, uint8 or floats in [0, 1]; got {_kind(images)}")
    if images.ndim != 4 or images.shape[1:] != shape or not len(images):
        raise UserError(
            f"images of a batch must be (N, {', '.join(map(str, shape))}), N > 0, for which the networks were built; "
            f"got {tuple(images.shape)}. Resize them, or give the variant image_shape=(C, H, W)"
        )
    if images.dtype == torch.uint8:
        return
    low, high = float(images.amin()), float(images.amax())  # NaN if any pixel is NaN
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise UserError(
            f"images of a batch must be uint8, or floats in [0, 1], which are scaled to the networks' range here; got "
            f"{images.dtype} from {low:.4g} to {high:.4g}. Give torchvision's ToTensor() without Normalize(), or uint8"
        )


def _refuse_labels(labels: Any, num: int, num_classes: int) -> None:
    allowed = f"labels of a batch must be whole numbers ({num},) from 0 to {num_classes - 1}"
    whole = isinstance(labels, Tensor) and not (labels.is_floating_point() or labels.is_complex())
    if not whole or labels.dtype == torch.bool or labels.shape != (num,):
        raise UserError(f"{allowed}; got {_kind(labels)}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise UserError(f"{allowed}; got {low} to {high}. Give the variant num_classes=N, or number the classes anew")


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {value.dtype}"
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, tuple | list) else type(value).__name__
