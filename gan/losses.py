"""Adversarial losses on logits: each is a pair of functions of (real_logits, fake_logits), both (N, 1) or (N,).

Logits, never probabilities: log sigmoid overflows once D is sure, softplus does not. -log sigmoid(x) = softplus(-x),
-log(1 - sigmoid(x)) = softplus(x).
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus

LossFunction = Callable[[Tensor, Tensor], Tensor]


class Loss(NamedTuple):
    """What D and what G minimise."""

    discriminator: LossFunction
    generator: LossFunction
    generator_reads_real: bool = False  # True for relativistic losses: G's update then computes D(x) too


def cross_entropy_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))] (Goodfellow et al., 2014, eq. 1)."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def non_saturating_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log D(G(z))]: G maximises log D(G(z)) (Goodfellow et al., 2014, sec. 3)."""
    return softplus(-fake_logits).mean()


def minimax_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))], minimised; its gradient vanishes while D is sure (Goodfellow et al., 2014, sec. 3)."""
    return -softplus(fake_logits).mean()


def fakes_labelled_real_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log D(x)] - E[log D(G(z))]: text 000's code as it stands, which trains D to call fakes real."""
    return softplus(-real_logits).mean() + softplus(-fake_logits).mean()


LOSSES = {
    "non_saturating": Loss(cross_entropy_discriminator, non_saturating_generator),
    "minimax": Loss(cross_entropy_discriminator, minimax_generator),
    "fakes_labelled_real": Loss(fakes_labelled_real_discriminator, non_saturating_generator),
}
