"""A prior: a function of (shape, generator, *, …) that returns latents, and its rule of interpolation."""

from typing import Any

import torch
from scipy import stats
from torch import Generator, Tensor

from gan.parts.priors import interpolate_normal, interpolated_by


def interpolate_student_t(start: Tensor, end: Tensor, t: float, *, degrees: int) -> Tensor:
    """As normal latents, through the distribution functions and back: at every t distributed as the prior."""
    normal, student = stats.norm(), stats.t(degrees)
    start_score, end_score = (_carried(latent.double(), student, normal) for latent in (start, end))
    return _carried(interpolate_normal(start_score, end_score, t), normal, student).to(start.dtype)


@interpolated_by(interpolate_student_t)
def student_t(shape: tuple[int, int], generator: Generator, *, degrees: int = 3) -> Tensor:
    """Student's t: a normal over the root of a mean of `degrees` squared normals. ValueError unless degrees >= 1."""
    if degrees < 1:
        raise ValueError(f"degrees must be at least 1, got {degrees}")
    noise = torch.randn((degrees + 1, *shape), generator=generator, device=generator.device)
    return noise[0] / noise[1:].square().mean(dim=0).sqrt()


def _carried(latent: Tensor, source: Any, target: Any) -> Tensor:
    """From one symmetric distribution to another, by its upper tail: near 1 a probability has no digits left."""
    tail = source.sf(latent.abs().numpy(force=True))
    return torch.from_numpy(target.isf(tail)).to(latent.device) * latent.sign()
