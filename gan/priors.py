"""Noise priors: functions of (shape, generator) that return a latent of that shape, (N, latent_dim), float32.

Every number comes from the generator handed in, on its device; the global random state is never used.
"""

import torch
from torch import Generator, Tensor


def normal(shape: tuple[int, int], generator: Generator) -> Tensor:
    """N(0, 1)."""
    return torch.randn(shape, generator=generator, device=generator.device)


def uniform(shape: tuple[int, int], generator: Generator, *, bound: float = 1.0) -> Tensor:
    """U(-bound, bound); U(-1, 1) is DCGAN's (Radford et al., 2016, sec. 4)."""
    return torch.rand(shape, generator=generator, device=generator.device).mul_(2 * bound).sub_(bound)


PRIORS = {"normal": normal, "uniform": uniform}
