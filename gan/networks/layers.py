"""Parts that the network families share."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan.choices import resolve
from gan.errors import UserError


def leaky_relu(x: Tensor, *, slope: float = 0.2) -> Tensor:
    """max(x, slope x), for 0 <= slope <= 1."""
    return nn.functional.leaky_relu(x, slope)


ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "leaky_relu": leaky_relu,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}

# The generator's last activation decides the range that the real images are scaled to.
OUTPUT_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


def activation(choice: str | Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    """The hidden activation that a choice names."""
    function, parameters = resolve(choice, ACTIVATIONS, "activation")
    return partial(function, **parameters) if parameters else function


def output_range(output: str) -> tuple[float, float]:
    """The range of images under a final activation; UserError for one that has none."""
    if output not in OUTPUT_RANGES:
        raise UserError(f"generator: output must be one of {', '.join(OUTPUT_RANGES)}, got {output!r}")
    return OUTPUT_RANGES[output]


def check_sizes(sizes: list[int], what: str, at_least: int = 0) -> None:
    """UserError for a layer without units, or for fewer layers than a network needs."""
    if len(sizes) < at_least or any(size < 1 for size in sizes):
        raise UserError(f"{what} must be {at_least} or more whole numbers of at least 1, got {list(sizes)}")


def has_batch_statistics(network: nn.Module) -> bool:
    """Whether an image's output depends on the others of its batch: then real and fake must go in separate passes."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())
