"""Adversarial losses on logits: each is a pair of functions of (real_logits, fake_logits), both (N, 1) or (N,).

Logits, never probabilities: log sigmoid overflows once D is sure, softplus does not. -log sigmoid(x) = softplus(-x),
-log(1 - sigmoid(x)) = softplus(x).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus

LossFunction = Callable[[Tensor, Tensor], Tensor]
Half = Callable[[Tensor], Tensor]


class Loss(NamedTuple):
    """What D and what G minimise."""

    discriminator: LossFunction
    generator: LossFunction
    generator_reads_real: bool = False  # True for relativistic losses: G's update then computes D(x) too
    halves: tuple[Half, Half] | None = None  # what D minimises on real and on fake logits, where it is their sum


def called_real(logits: Tensor) -> Tensor:
    """-E[log D(·)]: the cross-entropy of images labelled 1."""
    return softplus(-logits).mean()


def called_fake(logits: Tensor) -> Tensor:
    """-E[log(1 - D(·))]: the cross-entropy of images labelled 0."""
    return softplus(logits).mean()


def non_saturating_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log D(G(z))]: G maximises log D(G(z)) (Goodfellow et al., 2014, sec. 3)."""
    return called_real(fake_logits)


def minimax_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))], minimised; its gradient vanishes while D is sure (Goodfellow et al., 2014, sec. 3)."""
    return -called_fake(fake_logits)


def clipped(logits: Tensor, *, probability: float = 1e-7) -> Tensor:
    """Logits whose probabilities stay in [1e-7, 1 - 1e-7], as Keras clips them: no gradient beyond ±16.1."""
    bound = math.log((1 - probability) / probability)
    return logits.clamp(-bound, bound)


def clipped_called_real(logits: Tensor) -> Tensor:
    """Keras' binary cross-entropy with label 1."""
    return called_real(clipped(logits))


def clipped_called_fake(logits: Tensor) -> Tensor:
    """Keras' binary cross-entropy with label 0."""
    return called_fake(clipped(logits))


def clipped_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """`non_saturating_generator` as Keras computes it (text 002)."""
    return clipped_called_real(fake_logits)


def _summed(on_real: Half, on_fake: Half, generator: LossFunction) -> Loss:
    def discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return on_real(real_logits) + on_fake(fake_logits)

    return Loss(discriminator, generator, halves=(on_real, on_fake))


LOSSES = {
    # -E[log D(x)] - E[log(1 - D(G(z)))] (Goodfellow et al., 2014, eq. 1)
    "non_saturating": _summed(called_real, called_fake, non_saturating_generator),
    "non_saturating_clipped": _summed(clipped_called_real, clipped_called_fake, clipped_generator),
    "minimax": _summed(called_real, called_fake, minimax_generator),
    # -E[log D(x)] - E[log D(G(z))]: text 000's code as it stands, which trains D to call fakes real
    "fakes_labelled_real": _summed(called_real, called_real, non_saturating_generator),
}
