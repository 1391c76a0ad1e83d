"""Generator of text 003, made of nearest upsamplings and 5×5 convolutions. Its discriminator is `strided`."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.base.errors import UserError
from gan.parts.networks.convolutions import UpsampledConv2d
from gan.parts.networks.layers import Activation, check_sizes, check_word, keras_batch_norm, output_range
from gan.parts.networks.layers import activation as resolve_activation

UPSAMPLINGS = 2  # 7 -> 14 -> 28


class UpsamplingGenerator(nn.Module):
    """Latent -> dense at a quarter of the size -> 5×5 convolutions -> images (N, C, H, W) in `output_range`.

    A nearest ×2 upsampling stands before each of the first two convolutions. Batch norm and the activation follow each
    convolution but the last.

    Args:
        channels: numbers of channels of the maps; the dense layer's map comes first. There are at least 3.
        momentum: how batch norm's moving statistics move; see `keras_batch_norm`.
        dense: widths of hidden layers before the dense layer of the map, each with the activation. Text 003 has none.
        norm: `batch` or `none`.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        momentum: float = 0.1,
        dense: list[int] | None = None,
        activation: Activation = "leaky_relu",
        output: str = "tanh",
        norm: str = "batch",
    ) -> None:
        super().__init__()
        check_sizes(channels, "generator: channels", at_least=UPSAMPLINGS + 1)
        check_sizes(dense or [], "generator: dense")
        check_word(norm, ("batch", "none"), "generator: norm")
        colours, height, width = image_shape
        sizes = [latent_dim, *(dense or [])]
        times = 2**UPSAMPLINGS
        if height % times or width % times:
            raise UserError(f"generator: upsampling makes images of multiples of {times} pixels, not {height}x{width}")
        self.first_map = (channels[0], height // times, width // times)
        self.output_range = output_range(output)
        self.output = getattr(torch, output)
        self.activation = resolve_activation(activation)
        self.dense = nn.ModuleList(nn.Linear(m, n) for m, n in pairwise(sizes))
        self.project = nn.Linear(sizes[-1], channels[0] * self.first_map[1] * self.first_map[2])
        widths = [*channels, colours]
        self.convolutions = nn.ModuleList(
            UpsampledConv2d(c, d) if depth < UPSAMPLINGS else nn.Conv2d(c, d, 5, padding=2)
            for depth, (c, d) in enumerate(pairwise(widths))
        )
        self.norms = nn.ModuleList(
            keras_batch_norm(c, momentum) if norm == "batch" else nn.Identity() for c in channels[1:]
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) from a latent (N, latent_dim)."""
        hidden = latent
        for layer in self.dense:
            hidden = self.activation(layer(hidden))
        hidden = self.activation(self.project(hidden)).view(-1, *self.first_map)
        *convolutions, last = self.convolutions
        for convolution, norm in zip(convolutions, self.norms, strict=True):
            hidden = self.activation(norm(convolution(hidden)))
        return self.output(last(hidden))
