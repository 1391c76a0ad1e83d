"""Networks of strided convolutions with TensorFlow's SAME padding.

They are the networks of text 000 and the discriminators of texts 002 and 003.
"""

import sys
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.base.errors import UserError
from gan.parts.networks.convolutions import PooledConv2d, SameConv2d, SameConvTranspose2d
from gan.parts.networks.dropout import Dropout
from gan.parts.networks.layers import Activation, check_sizes, check_word, keras_batch_norm, output_range
from gan.parts.networks.layers import activation as resolve_activation

NORMS = {"batch": 1, "batch_everywhere": 0, "none": sys.maxsize}  # number of the first convolution that is normalised


def _halved(size: int, times: int) -> list[int]:
    """The side `size` followed by its halves, each rounded up, such as 28, 14, 7, 4, 2."""
    sizes = [size]
    for _ in range(times):
        sizes.append(-(-sizes[-1] // 2))
    return sizes


class StridedGenerator(nn.Module):
    """Latent -> dense -> 5×5 stride-2 transposed convolutions without biases -> images (N, C, H, W) in `output_range`.

    Batch norm and the activation stand before every transposed convolution.

    Args:
        channels: numbers of channels of the maps, smallest map first.
        dense: widths of hidden layers before the projection, each with the activation. Text 000 has none.
        norm: `batch` or `none`. With `none` the transposed convolutions have biases instead.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
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
        heights, widths = _halved(height, len(channels))[::-1], _halved(width, len(channels))[::-1]
        self.first_map = (channels[0], heights[0], widths[0])
        self.output_range = output_range(output)
        self.output = getattr(torch, output)
        self.activation = resolve_activation(activation)
        self.dense = nn.ModuleList(nn.Linear(m, n) for m, n in pairwise(sizes))
        self.project = nn.Linear(sizes[-1], channels[0] * heights[0] * widths[0])
        self.norms = nn.ModuleList(keras_batch_norm(c) if norm == "batch" else nn.Identity() for c in channels)
        self.deconvolutions = nn.ModuleList(
            SameConvTranspose2d(c, d, 5, 2, size=size, bias=norm == "none")
            for c, d, size in zip(
                channels, [*channels[1:], colours], zip(heights[1:], widths[1:], strict=True), strict=True
            )
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) from a latent (N, latent_dim)."""
        hidden = latent
        for layer in self.dense:
            hidden = self.activation(layer(hidden))
        hidden = self.project(hidden).view(-1, *self.first_map)
        for norm, deconvolution in zip(self.norms, self.deconvolutions, strict=True):
            hidden = deconvolution(self.activation(norm(hidden)))
        return self.output(hidden)


class StridedDiscriminator(nn.Module):
    """Images (N, C, H, W) -> convolutions -> dense -> logits (N, outputs).

    Each convolution is followed by batch norm (but the first), the activation and dropout.

    Args:
        channels: numbers of channels of the maps, one for each convolution.
        kernel: side of the kernels.
        strides: one stride for each convolution. None means 2 everywhere.
        padded: which convolutions (counted from 0) get a row of zeros below and a column of zeros to the right of their
            maps before batch norm. Text 002 does this by Keras' ZeroPadding2D(((0, 1), (0, 1))).
        downsampling: `stride`, by the strides of the convolutions, or `max_pool`: convolutions of stride 1, each with
            max pooling over as many pixels.
        norm: `batch` (after all convolutions but the first), `batch_everywhere` or `none`.
        momentum: how batch norm's moving statistics move; see `keras_batch_norm`.
        dropout: probability of dropping a number after the activation.
        dense: widths of hidden layers after the convolutions, each with the activation and dropout.
        outputs: number of outputs of the last layer. The first is the logit; the others belong to an auxiliary head.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        kernel: int = 5,
        strides: list[int] | None = None,
        padded: list[int] | None = None,
        downsampling: str = "stride",
        activation: Activation = "relu",
        norm: str = "batch",
        momentum: float | None = None,
        dropout: float = 0.0,
        dense: list[int] | None = None,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        check_sizes(channels, "discriminator: channels", at_least=1)
        check_sizes(dense or [], "discriminator: dense")
        strides = [2] * len(channels) if strides is None else strides
        check_sizes([kernel, *strides], "discriminator: kernel and strides")
        if len(strides) != len(channels):
            raise UserError(f"discriminator: {len(channels)} channels need as many strides, got {strides}")
        check_word(norm, NORMS, "discriminator: norm")
        check_word(downsampling, ("stride", "max_pool"), "discriminator: downsampling")
        if any(not 0 <= number < len(channels) for number in padded or []):
            raise UserError(f"discriminator: padded must be numbers from 0 to {len(channels) - 1}, got {padded}")
        self.activation = resolve_activation(activation)
        self.dropout = Dropout(dropout)
        self.convolutions = nn.ModuleList(
            SameConv2d(c, d, kernel, stride=stride)
            if downsampling == "stride"
            else PooledConv2d(c, d, kernel, pool=stride)
            for c, d, stride in zip([image_shape[0], *channels[:-1]], channels, strides, strict=True)
        )
        self.pads = [int(number in (padded or [])) for number in range(len(channels))]
        self.norms = nn.ModuleList(
            keras_batch_norm(c, momentum) if depth >= NORMS[norm] else nn.Identity() for depth, c in enumerate(channels)
        )
        height, width = image_shape[1:]
        for stride, pad in zip(strides, self.pads, strict=True):
            height, width = -(-height // stride) + pad, -(-width // stride) + pad
        sizes = [channels[-1] * height * width, *(dense or [])]
        self.dense = nn.ModuleList(nn.Linear(m, n) for m, n in pairwise(sizes))
        self.judge = nn.Linear(sizes[-1], outputs)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, outputs) of images (N, C, H, W)."""
        hidden = images
        for convolution, pad, norm in zip(self.convolutions, self.pads, self.norms, strict=True):
            hidden = convolution(hidden)
            if pad:
                hidden = nn.functional.pad(hidden, (0, pad, 0, pad))
            hidden = self.dropout(self.activation(norm(hidden)))
        hidden = hidden.flatten(1)
        for layer in self.dense:
            hidden = self.dropout(self.activation(layer(hidden)))
        return self.judge(hidden)
