"""Initial distributions: functions that fill one weight or bias in place, from the global random state.

Fans are read off PyTorch's layout, in which weights are (out, in, …) for linear layers and convolutions: fan_in is the
second dimension times the kernel's area, the products that one output sums; fan_out is the first times that area.
Weights of transposed convolutions are (in, out, …), so that there the two names change places: "fan_in" is out times
the kernel's area, the outputs that one input reaches, which He's backward variant counts (He et al., 2015, eq. 14). One
output sums in times the area over stride² products. Glorot's rules are symmetric in the two.
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


def _check_weight(tensor: Tensor, name: str) -> None:
    if tensor.dim() < 2:
        raise ValueError(f"{name} is for weights, of two dimensions or more; give a constant for biases")


@torch.no_grad()
def glorot_uniform(tensor: Tensor) -> None:
    """U(±sqrt(6 / (fan_in + fan_out))), also named after Xavier (Glorot and Bengio, 2010, eq. 16); Keras' default."""
    _check_weight(tensor, "glorot_uniform")
    nn.init.xavier_uniform_(tensor)


@torch.no_grad()
def glorot_normal(tensor: Tensor) -> None:
    """N(0, 2 / (fan_in + fan_out)), of the same variance as `glorot_uniform` (Glorot and Bengio, 2010, eq. 12)."""
    _check_weight(tensor, "glorot_normal")
    nn.init.xavier_normal_(tensor)


@torch.no_grad()
def he_normal(tensor: Tensor, *, slope: float = 0.0) -> None:
    """N(0, 2 / ((1 + slope²) fan_in)), for layers after a ReLU, or a leaky one of this slope (He et al., 2015, eq. 15).

    Also named after Kaiming; at slope 0 it is eq. 10.
    """
    _check_weight(tensor, "he_normal")
    nn.init.kaiming_normal_(tensor, a=slope, mode="fan_in", nonlinearity="leaky_relu")


@torch.no_grad()
def orthogonal(tensor: Tensor, *, gain: float = 1.0) -> None:
    """`gain` times a random matrix of orthonormal rows or columns, whichever are fewer (Saxe et al., 2014).

    A kernel (a, b, …) is the matrix (a, b × area).
    """
    _check_weight(tensor, "orthogonal")
    nn.init.orthogonal_(tensor, gain=gain)


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
    "glorot_normal": glorot_normal,
    "he_normal": he_normal,
    "orthogonal": orthogonal,
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
