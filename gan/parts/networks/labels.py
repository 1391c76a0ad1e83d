"""Class labels in a network: one-hot vectors, and the ways in which a network reads them."""

import torch
from torch import Tensor, nn

from gan.base.errors import UserError

LABELS = ("none", "concat", "projection")  # how a discriminator reads labels: not, `beside_image`, `projected`


def check_classes(num_classes: int, who: str) -> None:
    """UserError where a network that reads labels gets data without classes."""
    if num_classes < 1:
        raise UserError(f"{who}: reads labels, but the data set has no classes; give labelled data or no condition")


def one_hot(labels: Tensor | None, num: int, num_classes: int, like: Tensor) -> Tensor:
    """Labels (N,), whole numbers from 0 to K - 1 -> (N, K) with a 1 at each label, in `like`'s dtype and device.

    Without labels the `num` rows get the classes in turn, 0, 1, …, K - 1, 0, …, so that a plain call works.
    """
    if labels is None:
        labels = torch.arange(num, device=like.device) % num_classes
    return nn.functional.one_hot(labels.to(like.device, torch.int64), num_classes).to(like.dtype)


def beside_latent(latent: Tensor, labels: Tensor | None, num_classes: int) -> Tensor:
    """(N, latent_dim) -> (N, latent_dim + K): the one-hot label after the noise (Mirza & Osindero, 2014, sec. 3.2)."""
    return torch.cat([latent, one_hot(labels, latent.shape[0], num_classes, latent)], dim=1)


def beside_image(images: Tensor, labels: Tensor | None, num_classes: int) -> Tensor:
    """(N, C, H, W) -> (N, C + K, H, W): D reads x and y together (Mirza & Osindero, 2014, eq. 2).

    The plane of the image's own class is 1 everywhere, the others 0.
    """
    planes = one_hot(labels, images.shape[0], num_classes, images)[:, :, None, None]
    return torch.cat([images, planes.expand(-1, -1, *images.shape[2:])], dim=1)


def projected(
    logits: Tensor, features: Tensor, labels: Tensor | None, num_classes: int, embedding: nn.Module
) -> Tensor:
    """Adds yᵀVφ(x) to the logit, column 0 of (N, outputs) (Miyato & Koyama, 2018, eq. 3).

    `features` φ(x) are (N, F); `embedding` is V as a linear layer without biases, K -> F, of the one-hot label y.
    """
    embedded = embedding(one_hot(labels, features.shape[0], num_classes, features))
    inner = (embedded * features).sum(dim=1, keepdim=True)
    return torch.cat([logits[:, :1] + inner, logits[:, 1:]], dim=1)
