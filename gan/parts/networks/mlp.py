"""Fully connected generator and discriminator."""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from gan.parts.networks.dropout import Dropout
from gan.parts.networks.layers import Activation, check_sizes, check_word, constrained, output_range
from gan.parts.networks.layers import activation as resolve_activation


def _layers(sizes: list[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(m, n) for m, n in pairwise(sizes))


class MLPGenerator(nn.Module):
    """Latent (N, latent_dim) -> fully connected layers -> images (N, C, H, W) in `output_range`."""

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        widths: list[int],
        activation: Activation = "relu",
        output: str = "sigmoid",
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.output_range = output_range(output)
        self.activation = resolve_activation(activation)
        self.output = getattr(torch, output)
        check_sizes(widths, "generator: widths")
        self.layers = _layers([latent_dim, *widths, prod(image_shape)])

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) from a latent (N, latent_dim)."""
        *layers, last = self.layers
        hidden = latent
        for layer in layers:
            hidden = self.activation(layer(hidden))
        return self.output(last(hidden)).view(-1, *self.image_shape)


class MLPDiscriminator(nn.Module):
    """Images (N, C, H, W) -> fully connected layers -> logits (N, outputs).

    Args:
        widths: numbers of units of the hidden layers.
        dropout: probability of dropping a hidden unit.
        input_dropout: probability of dropping a pixel.
        norm: `none` or `spectral` (on all layers; Miyato et al., 2018).
        outputs: number of outputs of the last layer. The first is the logit; the others belong to an auxiliary head.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        widths: list[int],
        activation: Activation = "relu",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        norm: str = "none",
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.activation = resolve_activation(activation)
        self.input_dropout = Dropout(input_dropout)
        self.dropout = Dropout(dropout)
        check_sizes(widths, "discriminator: widths")
        check_word(norm, ("none", "spectral"), "discriminator: norm")
        self.layers = nn.ModuleList(
            constrained(layer, norm) for layer in _layers([prod(image_shape), *widths, outputs])
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, outputs) of images (N, C, H, W). Dropout follows each hidden layer."""
        *layers, last = self.layers
        hidden = self.input_dropout(images.flatten(1))  # (N, C, H, W) -> (N, C*H*W)
        for layer in layers:
            hidden = self.dropout(self.activation(layer(hidden)))
        return last(hidden)
