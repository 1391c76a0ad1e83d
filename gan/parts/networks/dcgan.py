"""Generator and discriminator of DCGAN's family (Radford et al., 2016), narrow enough for two CPU cores.

Their maps are in memory as (N, H, W, C), in which convolutions take up to a fifth less time on a CPU.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.parts.networks.convolutions import Conv2d, ConvTranspose2d, EnlargedConv2d, PooledConv2d
from gan.parts.networks.dropout import Dropout
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


class DCGANGenerator(nn.Module):
    """Latent -> dense -> 4×4 stride-2 transposed convolutions with batch norm -> images in `output_range`.

    Args:
        channels: numbers of channels of the maps, smallest map first.
        dense: widths of hidden layers before the projection. DCGAN has none of them. InfoGAN's MNIST network has one
            (Chen et al., 2016, appendix C.1).
        norm: `batch` or `none`. With `none` every layer has a bias instead.
        upsampling: `transposed`, by the strides of transposed convolutions, or `nearest`: a nearest ×2 upsampling
            before a 4×4 convolution.
        conditional: whether the one-hot label is appended to the latent (Mirza & Osindero, 2014).
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
        upsampling: str = "transposed",
        conditional: bool = False,
    ) -> None:
        super().__init__()
        check_sizes(channels, "generator: channels", at_least=1)
        check_sizes(dense or [], "generator: dense")
        check_word(norm, ("batch", "none"), "generator: norm")
        check_word(upsampling, ("transposed", "nearest"), "generator: upsampling")
        if conditional:
            check_classes(num_classes, "generator")
        height, width = smallest_map(image_shape, len(channels), "generator")
        batch, bias = norm == "batch", norm == "none"  # batch norm would subtract a bias before it
        widths = [latent_dim + (num_classes if conditional else 0), *(dense or [])]
        self.reads_labels = conditional
        self.num_classes = num_classes
        self.first_map = (channels[0], height, width)
        self.output_range = output_range(output)
        self.activation = resolve_activation(activation)
        self.output = getattr(torch, output)
        self.dense = nn.ModuleList(nn.Linear(m, n, bias=bias) for m, n in pairwise(widths))
        self.dense_norms = nn.ModuleList(nn.BatchNorm1d(n) if batch else nn.Identity() for n in widths[1:])
        self.project = nn.Linear(widths[-1], channels[0] * height * width, bias=bias)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) if batch else nn.Identity() for c in channels)
        self.deconvolutions = nn.ModuleList(
            ConvTranspose2d(c, d, 4, stride=2, padding=1, bias=bias or last)
            if upsampling == "transposed"
            else EnlargedConv2d(c, d, 4, bias=bias or last)
            for c, d, last in zip(
                channels, [*channels[1:], image_shape[0]], [False] * (len(channels) - 1) + [True], strict=True
            )
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) from a latent (N, latent_dim) and labels (N,)."""
        hidden = beside_latent(latent, labels, self.num_classes) if self.reads_labels else latent
        for layer, norm in zip(self.dense, self.dense_norms, strict=True):
            hidden = self.activation(norm(layer(hidden)))
        hidden = self.project(hidden).view(-1, *self.first_map).contiguous(memory_format=torch.channels_last)
        for norm, deconvolution in zip(self.norms, self.deconvolutions, strict=True):
            hidden = deconvolution(self.activation(norm(hidden)))
        return self.output(hidden)


class DCGANDiscriminator(nn.Module):
    """Images (N, C, H, W) -> 4×4 stride-2 convolutions -> dense -> logits (N, outputs).

    Args:
        channels: numbers of channels of the maps, one for each convolution.
        dense: widths of hidden layers after the convolutions.
        norm: `none`, `batch` (on all layers but the first, as in DCGAN) or `spectral` (on all layers; Miyato et al.,
            2018).
        downsampling: `stride`, by the strides of the convolutions, or `max_pool`: convolutions of stride 1, each with
            2×2 max pooling.
        labels: how D reads labels. `none`: not at all. `concat`: as planes beside the image's channels (Mirza &
            Osindero, 2014). `projection`: by an inner product with the last features, which is added to the logit
            (Miyato & Koyama, 2018).
        minibatch_stddev: whether `MinibatchStdDev` follows the last convolution.
        outputs: number of outputs of the last layer. The first is the logit; the others belong to an auxiliary head.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: list[int],
        dense: list[int] | None = None,
        activation: Activation = "leaky_relu",
        norm: str = "none",
        downsampling: str = "stride",
        dropout: float = 0.0,
        labels: str = "none",
        minibatch_stddev: bool = False,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        check_word(norm, ("none", "batch", "spectral"), "discriminator: norm")
        check_word(downsampling, ("stride", "max_pool"), "discriminator: downsampling")
        check_word(labels, LABELS, "discriminator: labels")
        check_sizes(channels, "discriminator: channels", at_least=1)
        check_sizes(dense or [], "discriminator: dense")
        if labels != "none":
            check_classes(num_classes, "discriminator")
        height, width = smallest_map(image_shape, len(channels), "discriminator")
        planes = image_shape[0] + (num_classes if labels == "concat" else 0)
        self.reads_labels = labels != "none"
        self.concatenates_labels = labels == "concat"
        self.num_classes = num_classes
        self.activation = resolve_activation(activation)
        self.dropout = Dropout(dropout, channels=True)
        self.convolutions = nn.ModuleList(
            constrained(
                Conv2d(c, d, 4, stride=2, padding=1) if downsampling == "stride" else PooledConv2d(c, d, 4, pool=2),
                norm,
            )
            for c, d in zip([planes, *channels[:-1]], channels, strict=True)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(c) if norm == "batch" and depth > 0 else nn.Identity() for depth, c in enumerate(channels)
        )
        self.stddev = MinibatchStdDev() if minibatch_stddev else nn.Identity()
        widths = [(channels[-1] + minibatch_stddev) * height * width, *(dense or [])]
        self.dense = nn.ModuleList(constrained(nn.Linear(m, n), norm) for m, n in pairwise(widths))
        self.dense_norms = nn.ModuleList(nn.BatchNorm1d(n) if norm == "batch" else nn.Identity() for n in widths[1:])
        self.judge = constrained(nn.Linear(widths[-1], outputs), norm)
        self.embedding = (
            constrained(nn.Linear(num_classes, widths[-1], bias=False), norm) if labels == "projection" else None
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, outputs) of images (N, C, H, W) with labels (N,). Dropout drops whole channels."""
        hidden = beside_image(images, labels, self.num_classes) if self.concatenates_labels else images
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = convolution(hidden).contiguous(memory_format=torch.channels_last)
            hidden = self.dropout(self.activation(norm(hidden)))
        hidden = self.stddev(hidden).flatten(1)
        for layer, norm in zip(self.dense, self.dense_norms, strict=True):
            hidden = self.activation(norm(layer(hidden)))
        logits = self.judge(hidden)
        if self.embedding is not None:
            logits = projected(logits, hidden, labels, self.num_classes, self.embedding)
        return logits
