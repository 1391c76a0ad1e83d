"""A prior: a function of (shape, generator), its parameters keyword-only."""

import torch
from torch import Generator, Tensor


def student_t(shape: tuple[int, int], generator: Generator, *, degrees: int = 3) -> Tensor:
    """Student's t: a normal over the root of a mean of `degrees` squared normals."""
    noise = torch.randn((degrees + 1, *shape), generator=generator, device=generator.device)
    return noise[0] / noise[1:].square().mean(dim=0).sqrt()
