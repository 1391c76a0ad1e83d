"""Class labels in a network: one-hot vectors, and the ways in which a network can read them."""

import torch
from torch import Tensor, nn

from gan.base.errors import UserError

LABELS = ("none", "concat", "projection")  # a discriminator does not read them, or by `beside_image`, or by `projected`


def check_classes(num_classes: int, who: str) -> None:
    """Raise UserError if a network that reads labels gets data without classes."""
    if num_classes < 1:
        raise UserError(f"{who}: reads labels, but the data set has no classes; give labelled data or no condition")


def one_hot(labels: Tensor | None, num: int, num_classes: int, like: Tensor) -> Tensor:
    """One-hot vectors (N, K) of labels (N,), which are whole numbers from 0 to K - 1. Dtype and device are `like`'s.

    Without labels, the `num` rows get the classes in turn: 0, 1, …, K - 1, 0, …. So a call without labels works, too.
    """
    if labels is None:
        labels = torch.arange(num, device=like.device) % num_classes
    return nn.functional.one_hot(labels.to(like.device, torch.int64), num_classes).to(like.dtype)


def beside_latent(latent: Tensor, labels: Tensor | None, num_classes: int) -> Tensor:
    """The latent with the one-hot label appended: (N, latent_dim + K) (Mirza & Osindero, 2014, sec. 3.2)."""
    return torch.cat([latent, one_hot(labels, latent.shape[0], num_classes, latent)], dim=1)


def beside_image(images: Tensor, labels: Tensor | None, num_classes: int) -> Tensor:
    """Images (N, C + K, H, W): the images (N, C, H, W) with K planes, by which D reads x and y together.

    The plane of the image's own class is 1 everywhere; the other planes are 0 (Mirza & Osindero, 2014, eq. 2).
    """
    planes = one_hot(labels, images.shape[0], num_classes, images)[:, :, None, None]
    return torch.cat([images, planes.expand(-1, -1, *images.shape[2:])], dim=1)


def projected(
    logits: Tensor, features: Tensor, labels: Tensor | None, num_classes: int, embedding: nn.Module
) -> Tensor:
    """The outputs (N, outputs) with yᵀVφ(x) added to the logit, which is column 0 (Miyato & Koyama, 2018, eq. 3).

    φ(x) are the `features` (N, F). y is the one-hot label. V is the `embedding`, a linear layer from K to F numbers
    without biases.
    """
    embedded = embedding(one_hot(labels, features.shape[0], num_classes, features))
    inner = (embedded * features).sum(dim=1, keepdim=True)
    return torch.cat([logits[:, :1] + inner, logits[:, 1:]], dim=1)
