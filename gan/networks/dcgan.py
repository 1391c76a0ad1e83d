"""Convolutional generator and discriminator of DCGAN's family (Radford et al., 2016), narrow enough for two cores."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan.choices import Choice
from gan.errors import UserError
from gan.networks.layers import activation as resolve_activation
from gan.networks.layers import check_sizes, output_range


def _smallest_map(image_shape: tuple[int, int, int], halvings: int, who: str) -> tuple[int, int]:
    """Height and width after `halvings` halvings; UserError where they do not divide."""
    _, height, width = image_shape
    if height % 2**halvings or width % 2**halvings:
        raise UserError(
            f"{who}: cannot make {height}×{width} images with {halvings} doublings; "
            f"give fewer channels, or images whose sides divide by {2**halvings}"
        )
    return height // 2**halvings, width // 2**halvings


class DCGANGenerator(nn.Module):
    """Latent -> dense -> 4×4 stride-2 transposed convolutions with batch norm -> images in `output_range`.

    `dense` are widths of hidden layers before the projection, which DCGAN has none of and InfoGAN's MNIST network one
    (Chen et al., 2016, appendix C.1).
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        dense: list[int] | None = None,
        activation: Choice = "relu",
        output: str = "tanh",
    ) -> None:
        super().__init__()
        check_sizes(channels, "generator: channels", at_least=1)
        check_sizes(dense or [], "generator: dense")
        height, width = _smallest_map(image_shape, len(channels), "generator")
        widths = [latent_dim, *(dense or [])]
        self.first_map = (channels[0], height, width)
        self.output_range = output_range(output)
        self.activation = resolve_activation(activation)
        self.output = getattr(torch, output)
        self.dense = nn.ModuleList(nn.Linear(m, n, bias=False) for m, n in pairwise(widths))
        self.dense_norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths[1:])
        self.project = nn.Linear(widths[-1], channels[0] * height * width, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels)
        self.deconvolutions = nn.ModuleList(
            nn.ConvTranspose2d(c, d, 4, stride=2, padding=1, bias=last)  # a bias before batch norm would be subtracted
            for c, d, last in zip(
                channels, [*channels[1:], image_shape[0]], [False] * (len(channels) - 1) + [True], strict=True
            )
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent (N, latent_dim) -> images (N, C, H, W)."""
        hidden = latent
        for layer, norm in zip(self.dense, self.dense_norms, strict=True):
            hidden = self.activation(norm(layer(hidden)))
        hidden = self.project(hidden).view(-1, *self.first_map)
        for norm, deconvolution in zip(self.norms, self.deconvolutions, strict=True):
            hidden = deconvolution(self.activation(norm(hidden)))
        return self.output(hidden)


class DCGANDiscriminator(nn.Module):
    """Images (N, C, H, W) -> 4×4 stride-2 convolutions -> dense -> logits (N, 1); `dense` are widths of hidden layers.

    `norm` is `none`, `batch` (on all but the first layer, as in DCGAN) or `spectral` (on all; Miyato et al., 2018).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        dense: list[int] | None = None,
        activation: Choice = "leaky_relu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if norm not in ("none", "batch", "spectral"):
            raise UserError(f"discriminator: norm must be one of none, batch, spectral, got {norm!r}")
        check_sizes(channels, "discriminator: channels", at_least=1)
        check_sizes(dense or [], "discriminator: dense")
        height, width = _smallest_map(image_shape, len(channels), "discriminator")

        def constrain(layer: nn.Module) -> nn.Module:
            return spectral_norm(layer) if norm == "spectral" else layer

        self.activation = resolve_activation(activation)
        self.dropout = nn.Dropout2d(dropout)
        self.convolutions = nn.ModuleList(
            constrain(nn.Conv2d(c, d, 4, stride=2, padding=1))
            for c, d in zip([image_shape[0], *channels[:-1]], channels, strict=True)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(c) if norm == "batch" and depth > 0 else nn.Identity() for depth, c in enumerate(channels)
        )
        widths = [channels[-1] * height * width, *(dense or [])]
        self.dense = nn.ModuleList(constrain(nn.Linear(m, n)) for m, n in pairwise(widths))
        self.dense_norms = nn.ModuleList(nn.BatchNorm1d(n) if norm == "batch" else nn.Identity() for n in widths[1:])
        self.judge = constrain(nn.Linear(widths[-1], 1))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) -> logits (N, 1); dropout drops whole channels."""
        hidden = images
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = self.dropout(self.activation(norm(convolution(hidden))))
        hidden = hidden.flatten(1)
        for layer, norm in zip(self.dense, self.dense_norms, strict=True):
            hidden = self.activation(norm(layer(hidden)))
        return self.judge(hidden)
