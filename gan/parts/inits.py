"""Initial distributions: functions that fill one weight or bias in place, with numbers from the global random state.

Some rules use the fans of a layer, as PyTorch computes them from the shape of the weight. Linear layers and
convolutions have weights (out, in, …):

- fan_in is in times the kernel's area. It is the number of products that one output sums.
- fan_out is out times the kernel's area.

Transposed convolutions have weights (in, out, …), so the two names change places there. "fan_in" is then out times the
kernel's area: the number of outputs that one input reaches, which He's backward variant counts (He et al., 2015,
eq. 14). One output of a transposed convolution sums in · area / stride² products. Glorot's rules treat both fans alike.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


@torch.no_grad()
def uniform(tensor: Tensor, *, bound: float) -> None:
    """Fill with U(-bound, bound). Text 001 and pylearn2 use 0.05 in G and 0.005 in D."""
    tensor.uniform_(-bound, bound)


@torch.no_grad()
def normal(tensor: Tensor, *, std: float, mean: float = 0.0) -> None:
    """Fill with N(mean, std²). DCGAN uses std 0.02 (Radford et al., 2016, sec. 4)."""
    tensor.normal_(mean, std)


@torch.no_grad()
def truncated_normal(tensor: Tensor, *, std: float) -> None:
    """Fill with N(0, std²) cut off at ±2 std, like tf.truncated_normal. The standard deviation becomes 0.88 std."""
    nn.init.trunc_normal_(tensor, std=std, a=-2 * std, b=2 * std)


def _check_weight(tensor: Tensor, name: str) -> None:
    if tensor.dim() < 2:
        raise ValueError(f"{name} is for weights, of two dimensions or more; give a constant for biases")


@torch.no_grad()
def glorot_uniform(tensor: Tensor) -> None:
    """Fill with U(±sqrt(6 / (fan_in + fan_out))) (Glorot and Bengio, 2010, eq. 16).

    This is also called Xavier initialisation. It is Keras' default.
    """
    _check_weight(tensor, "glorot_uniform")
    nn.init.xavier_uniform_(tensor)


@torch.no_grad()
def glorot_normal(tensor: Tensor) -> None:
    """Fill with N(0, 2 / (fan_in + fan_out)), the variance of `glorot_uniform` (Glorot and Bengio, 2010, eq. 12)."""
    _check_weight(tensor, "glorot_normal")
    nn.init.xavier_normal_(tensor)


@torch.no_grad()
def he_normal(tensor: Tensor, *, slope: float = 0.0) -> None:
    """Fill with N(0, 2 / ((1 + slope²) fan_in)) (He et al., 2015, eq. 15; eq. 10 at slope 0).

    It is meant for layers after a leaky ReLU of this slope, or after a ReLU (slope 0). It is also called Kaiming
    initialisation.
    """
    _check_weight(tensor, "he_normal")
    nn.init.kaiming_normal_(tensor, a=slope, mode="fan_in", nonlinearity="leaky_relu")


@torch.no_grad()
def orthogonal(tensor: Tensor, *, gain: float = 1.0) -> None:
    """Fill with `gain` times a random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014).

    A kernel (a, b, …) counts as the matrix (a, b × area).
    """
    _check_weight(tensor, "orthogonal")
    nn.init.orthogonal_(tensor, gain=gain)


@torch.no_grad()
def constant(tensor: Tensor, *, value: float) -> None:
    """Fill with the number `value`."""
    tensor.fill_(value)


def keep(tensor: Tensor) -> None:
    """Change nothing: the tensor keeps PyTorch's default, which is Kaiming-uniform with a = sqrt(5)."""


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
    """Fill the weights and biases of all linear and convolutional layers. Normalisation layers keep their 1 and 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
            constrained = getattr(module, "parametrizations", None)  # spectral norm keeps the weight that learns here
            weights(module.weight if constrained is None else constrained.weight.original)
            if module.bias is not None:
                biases(module.bias)
