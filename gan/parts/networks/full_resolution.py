"""Generator of text 002. Every layer works at the full resolution of the images. Its discriminator is `strided`."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.parts.networks.dropout import Dropout
from gan.parts.networks.layers import Activation, check_sizes, check_word, keras_batch_norm, output_range
from gan.parts.networks.layers import activation as resolve_activation


class FullResolutionGenerator(nn.Module):
    """Latent -> dense -> 3×3 stride-1 transposed convolutions -> images (N, C, H, W) in `output_range`.

    The dense layer makes a map with `channels[0]` channels at the images' own size. Each transposed convolution but the
    last is followed by dropout, batch norm and the activation.

    Args:
        channels: numbers of channels of the maps; the dense layer's map comes first.
        dropout: probability of dropping a number before batch norm.
        momentum, debiased: how batch norm's moving statistics move; see `keras_batch_norm`.
        dense: widths of hidden layers before the dense layer of the map, each with the activation. Text 002 has none.
        norm: `batch` or `none`.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        dropout: float = 0.0,
        momentum: float = 0.2,
        debiased: bool = False,
        dense: list[int] | None = None,
        activation: Activation = "relu",
        output: str = "tanh",
        norm: str = "batch",
    ) -> None:
        super().__init__()
        check_sizes(channels, "generator: channels", at_least=1)
        check_sizes(dense or [], "generator: dense")
        check_word(norm, ("batch", "none"), "generator: norm")
        colours, height, width = image_shape
        sizes = [latent_dim, *(dense or [])]
        self.first_map = (channels[0], height, width)
        self.output_range = output_range(output)
        self.output = getattr(torch, output)
        self.activation = resolve_activation(activation)
        self.dense = nn.ModuleList(nn.Linear(m, n) for m, n in pairwise(sizes))
        self.project = nn.Linear(sizes[-1], channels[0] * height * width)
        self.deconvolutions = nn.ModuleList(
            nn.ConvTranspose2d(c, d, 3, padding=1)  # at stride 1, TensorFlow's SAME padding is symmetric
            for c, d in zip(channels, [*channels[1:], colours], strict=True)
        )
        self.dropout = Dropout(dropout)
        self.norms = nn.ModuleList(
            keras_batch_norm(c, momentum, debiased) if norm == "batch" else nn.Identity() for c in channels[1:]
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) from a latent (N, latent_dim)."""
        hidden = latent
        for layer in self.dense:
            hidden = self.activation(layer(hidden))
        hidden = self.activation(self.project(hidden)).view(-1, *self.first_map)
        *deconvolutions, last = self.deconvolutions
        for deconvolution, norm in zip(deconvolutions, self.norms, strict=True):
            hidden = self.activation(norm(self.dropout(deconvolution(hidden))))
        return self.output(last(hidden))
