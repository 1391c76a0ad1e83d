"""Sliced Wasserstein distance of patches: needs no network and no labels (Karras et al., 2018, sec. 5)."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, interpolate, pad

from gan.measure.measure import Measure, Seen
from gan.measure.shares import subset

SIDE = 7  # of a patch
PATCHES = 16  # of each image and level
DIRECTIONS = 256
AT_A_TIME = 32  # directions
SMALLEST = 14  # side of the smallest level
BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


def sliced_wasserstein(real: Tensor, fake: Tensor, generator: Generator) -> list[float]:
    """Return the distance on each level of a Laplacian pyramid, the finest first, times 1,000; smaller is better.

    Images (N, C, H, W) and (M, C, H, W) are of uint8, or of any range. Of both kinds as many are taken, the first ones.
    Each level gives 16 patches of 7×7 pixels an image, at places drawn from `generator`; each colour of them is
    standardised over all patches of its kind. The distance is the mean absolute difference of sorted projections on 256
    random directions.
    """
    count = min(len(real), len(fake))
    pairs = zip(_pyramid(real[:count]), _pyramid(fake[:count]), strict=True)
    found = []
    for levels in pairs:
        of_real, of_fake = (_descriptors(level, generator) for level in levels)
        found.append(1000 * _distance(of_real, of_fake, generator))
    return found


def _pyramid(images: Tensor) -> list[Tensor]:
    """Return Laplacian levels (N, C, h, w), the coarsest with what is left."""
    levels, current = [], images.detach().cpu().float()
    while min(current.shape[-2:]) // 2 >= SMALLEST:
        smaller = _blurred(current)[..., ::2, ::2]
        levels.append(current - interpolate(smaller, current.shape[-2:], mode="bilinear", align_corners=False))
        current = smaller
    return [*levels, current]


def _blurred(images: Tensor) -> Tensor:
    channels = images.shape[1]
    rows = BINOMIAL.view(1, 1, 5, 1).expand(channels, 1, 5, 1)
    padded = pad(images, (2, 2, 2, 2), mode="reflect")
    return conv2d(conv2d(padded, rows, groups=channels), rows.mT, groups=channels)


def _descriptors(level: Tensor, generator: Generator) -> Tensor:
    """Return standardised patches (N · PATCHES, C · 49); of smaller images, the whole images."""
    number, channels, height, width = level.shape
    high, wide = min(SIDE, height), min(SIDE, width)
    top = torch.randint(height - high + 1, (number, PATCHES, 1, 1), generator=generator)
    left = torch.randint(width - wide + 1, (number, PATCHES, 1, 1), generator=generator)
    pixels = (top + torch.arange(high).view(-1, 1)) * width + left + torch.arange(wide)  # (N, P, 7, 7)
    flat = level.flatten(2)  # (N, C, H W)
    patches = flat.gather(2, pixels.flatten(1)[:, None].expand(-1, channels, -1))
    patches = patches.view(number, channels, PATCHES, high * wide)
    mean = patches.mean(dim=(0, 2, 3), keepdim=True)
    deviation = patches.std(dim=(0, 2, 3), keepdim=True)
    return ((patches - mean) / deviation.clamp(min=1e-8)).permute(0, 2, 1, 3).reshape(number * PATCHES, -1)


def _distance(real: Tensor, fake: Tensor, generator: Generator) -> float:
    directions = torch.randn(real.shape[1], DIRECTIONS, generator=generator)
    directions /= directions.norm(dim=0)
    parts = [
        ((real @ some).sort(dim=0).values - (fake @ some).sort(dim=0).values).abs().mean(dim=0)
        for some in directions.split(AT_A_TIME, dim=1)
    ]
    return float(torch.cat(parts).double().mean())


def patches(*, images: int = 2000) -> Measure:
    """Return `swd`, the sliced Wasserstein distance of patches: the mean over the levels, and each level.

    At most `images` of either kind are looked at: real ones at random, the same each time, and the first fakes.
    """
    if images < 2:
        raise ValueError(f"images must be at least 2, got {images}")

    def measured(seen: Seen) -> dict[str, Any]:
        levels = sliced_wasserstein(subset(seen.real.images, images), seen.fake.images[:images], seen.noise)
        return {"swd": sum(levels) / len(levels), "swd_levels": levels}

    return Measure("patches", 1, ("images",), {"swd": "lower"}, measured)
