"""Networks of text 000: 5×5 stride-2 convolutions with SAME padding, batch norm on batch statistics always."""

import torch
from torch import Tensor, nn

from gan.choices import Choice
from gan.networks.layers import SameConv2d, SameConvTranspose2d, check_sizes, output_range
from gan.networks.layers import activation as resolve_activation


def _halved(size: int, times: int) -> list[int]:
    """A side and its halves, rounded up: 28, 14, 7, 4, 2."""
    sizes = [size]
    for _ in range(times):
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    """tf.contrib.layers.batch_norm(is_training=True): batch statistics also when sampling, epsilon 1e-3."""
    return nn.BatchNorm2d(channels, eps=1e-3, track_running_stats=False)


class StridedGenerator(nn.Module):
    """Latent -> dense -> 5×5 stride-2 transposed convolutions without biases -> images (N, C, H, W) in `output_range`.

    Batch norm and the activation before every transposed convolution; `channels` are those of the maps, smallest first.
    """

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
        check_sizes(channels, "generator: channels", at_least=1)
        colours, height, width = image_shape
        heights, widths = _halved(height, len(channels))[::-1], _halved(width, len(channels))[::-1]
        self.first_map = (channels[0], heights[0], widths[0])
        self.output_range = output_range(output)
        self.output = getattr(torch, output)
        self.activation = resolve_activation(activation)
        self.project = nn.Linear(latent_dim, channels[0] * heights[0] * widths[0])
        self.norms = nn.ModuleList(_batch_norm(c) for c in channels)
        self.deconvolutions = nn.ModuleList(
            SameConvTranspose2d(c, d, 5, 2, size=size, bias=False)
            for c, d, size in zip(
                channels, [*channels[1:], colours], zip(heights[1:], widths[1:], strict=True), strict=True
            )
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent (N, latent_dim) -> images (N, C, H, W)."""
        hidden = self.project(latent).view(-1, *self.first_map)
        for norm, deconvolution in zip(self.norms, self.deconvolutions, strict=True):
            hidden = deconvolution(self.activation(norm(hidden)))
        return self.output(hidden)


class StridedDiscriminator(nn.Module):
    """Images (N, C, H, W) -> 5×5 stride-2 convolutions, batch norm on all but the first -> logits (N, 1)."""

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        activation: Choice = "relu",
    ) -> None:
        super().__init__()
        check_sizes(channels, "discriminator: channels", at_least=1)
        colours, height, width = image_shape
        self.activation = resolve_activation(activation)
        self.convolutions = nn.ModuleList(
            SameConv2d(c, d, 5, stride=2) for c, d in zip([colours, *channels[:-1]], channels, strict=True)
        )
        self.norms = nn.ModuleList(_batch_norm(c) if depth else nn.Identity() for depth, c in enumerate(channels))
        smallest = _halved(height, len(channels))[-1] * _halved(width, len(channels))[-1]
        self.judge = nn.Linear(channels[-1] * smallest, 1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) -> logits (N, 1)."""
        hidden = images
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = self.activation(norm(convolution(hidden)))
        return self.judge(hidden.flatten(1))
