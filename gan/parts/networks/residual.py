"""Small residual generator and discriminator, after those of WGAN-GP and SNGAN for CIFAR-10.

The sources are Gulrajani et al., 2017, appendix F, and Miyato et al., 2018, table 4. Their networks are 128 or 256
channels wide. Maps are stored with their channels last, since a CPU's convolutions are faster on them. Shapes still
read (N, C, H, W), as everywhere.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate

from gan.parts.networks.labels import LABELS, beside_image, beside_latent, check_classes, projected
from gan.parts.networks.layers import (
    Activation,
    MinibatchStdDev,
    check_sizes,
    check_word,
    constrained,
    output_range,
    smallest_map,
)
from gan.parts.networks.layers import activation as resolve_activation

Function = Callable[[Tensor], Tensor]


def _widened(kernels: Tensor) -> Tensor:
    """Kernels (…, 4, 4) from kernels (…, 3, 3): the sum of each kernel at four places that are a pixel apart."""
    padded = nn.functional.pad(kernels, (1, 1, 1, 1))
    return padded[..., 1:, 1:] + padded[..., 1:, :-1] + padded[..., :-1, 1:] + padded[..., :-1, :-1]


class UpConv2d(nn.Conv2d):
    """Nearest ×2 upsampling, then a 3×3 convolution with padding 1: (N, C, H, W) -> (N, out, 2H, 2W).

    Both are computed as one 4×4 transposed convolution of stride 2, which needs 4/9 of the products. Karras et al.,
    2018, call this `fused_scale` in their code.
    """

    def __init__(self, channels: int, out: int, bias: bool = True) -> None:
        super().__init__(channels, out, 3, padding=1, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, 2H, 2W) from maps (N, C, H, W)."""
        kernels = _widened(self.weight.flip(2, 3)).transpose(0, 1)  # (C, out, 4, 4)
        return conv_transpose2d(images, kernels, self.bias, stride=2, padding=1)


class DownConv2d(nn.Conv2d):
    """A 3×3 convolution with padding 1, then 2×2 average pooling: (N, C, 2H, 2W) -> (N, out, H, W).

    Both are computed as one 4×4 convolution of stride 2, as in `UpConv2d`.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(channels, out, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, H, W) from maps (N, C, 2H, 2W)."""
        return conv2d(images, _widened(self.weight) / 4, self.bias, stride=2, padding=1)


class UpBlock(nn.Module):
    """A residual block that doubles the size: (N, C, H, W) -> (N, out, 2H, 2W).

    Its result is the upsampled input plus a branch of two convolutions. Norm and activation stand before each of them.
    Batch norm keeps the branch small beside the shortcut, so that deep networks start near the identity. Without batch
    norm a learnt factor of the branch does this; it starts at 0 (SkipInit; De & Smith, 2020, sec. 4).
    """

    def __init__(self, channels: int, out: int, norm: str, activation: Function) -> None:
        super().__init__()
        batch = norm == "batch"
        self.activation = activation
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) if batch else nn.Identity() for c in (channels, out))
        self.up = UpConv2d(channels, out, bias=not batch)  # batch norm would subtract a bias before it
        self.convolution = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out, 1, bias=False) if channels != out else nn.Identity()
        self.scale = None if batch else nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, 2H, 2W) from maps (N, C, H, W)."""
        branch = self.up(self.activation(self.norms[0](images)))
        branch = self.convolution(self.activation(self.norms[1](branch)))
        # A 1×1 convolution gives the same result before and after the upsampling; before it, it costs a quarter.
        shortcut = interpolate(self.shortcut(images), scale_factor=2, mode="nearest")
        return shortcut + (branch if self.scale is None else self.scale * branch)


class DownBlock(nn.Module):
    """A residual block that halves the size: (N, C, 2H, 2W) -> (N, out, H, W).

    Its result is the pooled input plus a branch of two convolutions. An activation stands before each of them.
    """

    def __init__(self, channels: int, out: int, norm: str, activation: Function) -> None:
        super().__init__()
        self.activation = activation
        self.convolution = constrained(nn.Conv2d(channels, channels, 3, padding=1), norm)
        self.down = constrained(DownConv2d(channels, out), norm)
        self.shortcut = constrained(nn.Conv2d(channels, out, 1, bias=False), norm) if channels != out else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out, H, W) from maps (N, C, 2H, 2W)."""
        branch = self.down(self.activation(self.convolution(self.activation(images))))
        return self.shortcut(avg_pool2d(images, 2)) + branch  # a 1×1 convolution may stand after the pooling


class ResidualGenerator(nn.Module):
    """Latent -> dense -> residual blocks, each ×2 -> norm, activation, 3×3 convolution -> images in `output_range`.

    Args:
        channels: numbers of channels of the maps, smallest map first: that of the dense layer, then that of each block.
            n numbers make n - 1 blocks.
        norm: `batch` or `none`. `UpBlock` says what replaces batch norm.
        conditional: whether the one-hot label is appended to the latent (Mirza & Osindero, 2014).
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        activation: Activation = "relu",
        output: str = "tanh",
        norm: str = "batch",
        conditional: bool = False,
    ) -> None:
        super().__init__()
        check_sizes(channels, "generator: channels", at_least=2)
        check_word(norm, ("batch", "none"), "generator: norm")
        if conditional:
            check_classes(num_classes, "generator")
        height, width = smallest_map(image_shape, len(channels) - 1, "generator")
        self.reads_labels = conditional
        self.num_classes = num_classes
        self.first_map = (channels[0], height, width)
        self.output_range = output_range(output)
        self.activation = resolve_activation(activation)
        self.output = getattr(torch, output)
        self.project = nn.Linear(latent_dim + (num_classes if conditional else 0), channels[0] * height * width)
        self.blocks = nn.ModuleList(UpBlock(c, d, norm, self.activation) for c, d in pairwise(channels))
        self.norm = nn.BatchNorm2d(channels[-1]) if norm == "batch" else nn.Identity()
        self.paint = nn.Conv2d(channels[-1], image_shape[0], 3, padding=1)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) from a latent (N, latent_dim) and labels (N,)."""
        hidden = beside_latent(latent, labels, self.num_classes) if self.reads_labels else latent
        hidden = self.project(hidden).view(-1, *self.first_map).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            hidden = block(hidden)
        return self.output(self.paint(self.activation(self.norm(hidden))))


class ResidualDiscriminator(nn.Module):
    """Images (N, C, H, W) -> 3×3 convolution -> residual blocks, each ½ -> sum over positions -> logits (N, outputs).

    The features are summed, not averaged, as in SNGAN's code.

    Args:
        channels: numbers of channels of the maps, largest map first: that of the first convolution, then that of each
            block. n numbers make n - 1 blocks.
        norm: `none` or `spectral` (on all layers; Miyato et al., 2018).
        labels, minibatch_stddev, outputs: as in `DCGANDiscriminator`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        activation: Activation = "leaky_relu",
        norm: str = "none",
        labels: str = "none",
        minibatch_stddev: bool = False,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        check_word(norm, ("none", "spectral"), "discriminator: norm")
        check_word(labels, LABELS, "discriminator: labels")
        check_sizes(channels, "discriminator: channels", at_least=2)
        if labels != "none":
            check_classes(num_classes, "discriminator")
        smallest_map(image_shape, len(channels) - 1, "discriminator")
        planes = image_shape[0] + (num_classes if labels == "concat" else 0)
        features = channels[-1] + minibatch_stddev
        self.reads_labels = labels != "none"
        self.concatenates_labels = labels == "concat"
        self.num_classes = num_classes
        self.activation = resolve_activation(activation)
        self.first = constrained(nn.Conv2d(planes, channels[0], 3, padding=1), norm)
        self.blocks = nn.ModuleList(DownBlock(c, d, norm, self.activation) for c, d in pairwise(channels))
        self.stddev = MinibatchStdDev() if minibatch_stddev else nn.Identity()
        self.judge = constrained(nn.Linear(features, outputs), norm)
        self.embedding = (
            constrained(nn.Linear(num_classes, features, bias=False), norm) if labels == "projection" else None
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, outputs) of images (N, C, H, W) with labels (N,)."""
        hidden = beside_image(images, labels, self.num_classes) if self.concatenates_labels else images
        hidden = self.first(hidden).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            hidden = block(hidden)
        hidden = self.stddev(self.activation(hidden)).sum(dim=(2, 3))  # (N, features)
        logits = self.judge(hidden)
        if self.embedding is not None:
            logits = projected(logits, hidden, labels, self.num_classes, self.embedding)
        return logits
