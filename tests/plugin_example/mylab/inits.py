"""An init: a function of (tensor, *, …) that fills one weight or bias in place."""

import math

import torch
from torch import Tensor


@torch.no_grad()
def lecun_uniform(tensor: Tensor, *, gain: float = 1.0) -> None:
    """U(±gain · sqrt(3 / fan_in)), of variance gain² / fan_in (LeCun et al., 1998, sec. 4.6). For weights only."""
    if tensor.dim() < 2:
        raise ValueError("lecun_uniform is for weights, of two dimensions or more; give a constant for biases")
    bound = gain * math.sqrt(3 / tensor[0].numel())  # (out, in, …): in times the kernel's area
    tensor.uniform_(-bound, bound)  # from the global random state, which the run's seed sets
