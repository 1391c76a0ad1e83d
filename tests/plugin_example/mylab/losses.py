"""A loss: a function of keyword-only parameters that makes a `gan.parts.losses.Loss`."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.parts.losses import Loss


def alpha_loss(*, alpha: float = 2.0) -> Loss:
    """α / (α - 1) · (1 - p^((α - 1) / α)) in place of -log p, which it is at α = 1 (α-GAN; Kurri et al., 2021).

    p is D(x) on real images, 1 - D(G(z)) on fakes and, as non-saturating, D(G(z)) for G. At α = inf the loss is 1 - p.
    ValueError unless alpha >= 1: below, it grows exponentially in the logit.
    """
    if not alpha >= 1:
        raise ValueError(f"alpha must be at least 1, got {alpha}")
    exponent = 1 - 1 / alpha

    def called_real(logits: Tensor) -> Tensor:
        surprise = softplus(-logits)  # -log p at p = sigmoid(logits)
        return (-torch.expm1(-exponent * surprise) / exponent if exponent else surprise).mean()

    def called_fake(logits: Tensor) -> Tensor:
        return called_real(-logits)

    def discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return called_real(real_logits) + called_fake(fake_logits)

    def generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return called_real(fake_logits)

    return Loss(discriminator, generator, halves=(called_real, called_fake))
