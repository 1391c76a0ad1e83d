"""Convolutional generator and discriminator of DCGAN's family (Radford et al., 2016), narrow enough for two cores."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan.errors import UserError
from gan.networks.layers import activation as resolve_activation
from gan.networks.layers import output_range

Choice = str | dict[str, Any]


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
    """Latent -> dense -> 4×4 stride-2 transposed convolutions with batch norm -> images in `output_range`."""

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        activation: Choice = "relu",
        output: str = "tanh",
    ) -> None:
        super().__init__()
        height, width = _smallest_map(image_shape, len(channels), "generator")
        self.first_map = (channels[0], height, width)
        self.output_range = output_range(output)
        self.activation = resolve_activation(activation)
        self.output = getattr(torch, output)
        self.project = nn.Linear(latent_dim, channels[0] * height * width, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels)
        self.deconvolutions = nn.ModuleList(
            nn.ConvTranspose2d(c, d, 4, stride=2, padding=1, bias=last)  # a bias before batch norm would be subtracted
            for c, d, last in zip(
                channels, [*channels[1:], image_shape[0]], [False] * (len(channels) - 1) + [True], strict=True
            )
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent (N, latent_dim) -> images (N, C, H, W)."""
        hidden = self.project(latent).view(-1, *self.first_map)
        for norm, deconvolution in zip(self.norms, self.deconvolutions, strict=True):
            hidden = deconvolution(self.activation(norm(hidden)))
        return self.output(hidden)


class DCGANDiscriminator(nn.Module):
    """Images (N, C, H, W) -> 4×4 stride-2 convolutions -> dense -> logits (N, 1).

    `norm` is `none`, `batch` (on all but the first layer, as in DCGAN) or `spectral` (on all; Miyato et al., 2018).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        activation: Choice = "leaky_relu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if norm not in ("none", "batch", "spectral"):
            raise UserError(f"discriminator: norm must be one of none, batch, spectral, got {norm!r}")
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
        self.judge = constrain(nn.Linear(channels[-1] * height * width, 1))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) -> logits (N, 1); dropout drops whole channels."""
        hidden = images
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = self.dropout(self.activation(norm(convolution(hidden))))
        return self.judge(hidden.flatten(1))
