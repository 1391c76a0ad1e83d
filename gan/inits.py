"""Initial distributions: functions that fill one weight or bias in place, from the global random state.

Fans follow PyTorch's layout, (out, in, …) for linear layers and convolutions, (in, out, …) for transposed ones;
Glorot's bound is symmetric in the two.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


@torch.no_grad()
def uniform(tensor: Tensor, *, bound: float) -> None:
    """U(-bound, bound); 001 and pylearn2: 0.05 in G, 0.005 in D."""
    tensor.uniform_(-bound, bound)


@torch.no_grad()
def normal(tensor: Tensor, *, std: float, mean: float = 0.0) -> None:
    """N(mean, std²); DCGAN: std 0.02 (Radford et al., 2016, sec. 4)."""
    tensor.normal_(mean, std)


@torch.no_grad()
def truncated_normal(tensor: Tensor, *, std: float) -> None:
    """N(0, std²) redrawn beyond ±2 std, as tf.truncated_normal; its standard deviation is 0.88 std."""
    nn.init.trunc_normal_(tensor, std=std, a=-2 * std, b=2 * std)


@torch.no_grad()
def glorot_uniform(tensor: Tensor) -> None:
    """U(±sqrt(6 / (fan_in + fan_out))), also named after Xavier (Glorot and Bengio, 2010, eq. 16); Keras' default."""
    nn.init.xavier_uniform_(tensor)


@torch.no_grad()
def constant(tensor: Tensor, *, value: float) -> None:
    """Every entry `value`."""
    tensor.fill_(value)


def keep(tensor: Tensor) -> None:
    """What the layer itself drew: PyTorch's default, Kaiming-uniform with a = sqrt(5)."""


INITS = {
    "uniform": uniform,
    "normal": normal,
    "truncated_normal": truncated_normal,
    "glorot_uniform": glorot_uniform,
    "constant": constant,
    "keep": keep,
}


def initialise(network: nn.Module, weights: Callable[[Tensor], None], biases: Callable[[Tensor], None]) -> None:
    """Fill the weights and biases of linear and convolutional layers; normalisation layers keep their 1 and 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
            constrained = getattr(module, "parametrizations", None)  # spectral norm keeps the free weight here
            weights(module.weight if constrained is None else constrained.weight.original)
            if module.bias is not None:
                biases(module.bias)
