"""Losses of an auxiliary head: further outputs of D, such as the class of an image.

Both players add this loss to their own: D on real images and on fakes, G on its fakes.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import cross_entropy


class Auxiliary(NamedTuple):
    """The number of outputs of D's head, and the loss that is minimised on them."""

    outputs: Callable[[int], int]  # number of classes of the data (0 without labels) -> K, the further outputs of D
    # (predictions (N, K), labels (N,) int64 or None, latent (N, latent_dim), or None for real images) -> scalar
    loss: Callable[[Tensor, Tensor | None, Tensor | None], Tensor]


def classes(*, weight: float = 1.0) -> Auxiliary:
    """The loss weight · E[-log P(class = label)], on real images and on fakes (ACGAN; Odena et al., 2017, eq. 3).

    ValueError for a data set with fewer than two classes, and for images without labels.
    """

    if not 0 <= weight < math.inf:
        raise ValueError(f"weight must be 0 or more, got {weight}")

    def outputs(num_classes: int) -> int:
        if num_classes < 2:
            raise ValueError(f"classes needs a data set with labels of at least 2 classes, got {num_classes}")
        return num_classes

    def loss(predictions: Tensor, labels: Tensor | None, latent: Tensor | None) -> Tensor:
        if labels is None:
            raise ValueError("classes needs labels, got images without")
        return weight * cross_entropy(predictions, labels.long())

    return Auxiliary(outputs, loss)


def code(
    *, categories: int = 10, continuous: int = 2, weight: float = 1.0, continuous_weight: float = 0.1
) -> Auxiliary:
    """The loss weight · (E[-log Q(category)] + continuous_weight · ½ E‖code - prediction‖²).

    This is InfoGAN's (Chen et al., 2016, eq. 5). Minus the loss is a lower bound of the mutual information of code and
    image, up to a constant: the entropy of the code.

    The latent starts with the code, as the prior `coded` draws it: first a category (one of `categories` numbers is 1,
    the others are 0), then `continuous` numbers. Q is a softmax for the category and a Gaussian of unit variance for
    the numbers, as in the authors' code for MNIST. Real images have no code, so their loss is 0.

    ValueError unless categories >= 1 and continuous >= 0, and for a latent that is shorter than its code.
    """
    if not (0 <= weight < math.inf and 0 <= continuous_weight < math.inf):
        raise ValueError(f"weight and continuous_weight must be 0 or more, got {weight} and {continuous_weight}")
    if categories < 1 or continuous < 0:
        raise ValueError(
            f"categories must be at least 1 and continuous at least 0, got categories {categories} and "
            f"continuous {continuous}"
        )

    def loss(predictions: Tensor, labels: Tensor | None, latent: Tensor | None) -> Tensor:
        if latent is None:
            return predictions.new_zeros(())
        if latent.shape[1] < categories + continuous:
            raise ValueError(f"latent_dim must be at least {categories + continuous}, got {latent.shape[1]}")
        category, numbers = latent[:, :categories].argmax(1), latent[:, categories : categories + continuous]
        squared_error = (numbers - predictions[:, categories:]).square().sum(1).mean()
        return weight * (cross_entropy(predictions[:, :categories], category) + continuous_weight * squared_error / 2)

    return Auxiliary(lambda num_classes: categories + continuous, loss)


AUXILIARIES: dict[str, Callable[..., Auxiliary]] = {"classes": classes, "code": code}
