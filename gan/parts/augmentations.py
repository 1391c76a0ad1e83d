"""Augmentations of what D sees, real images and fakes alike (DiffAugment; Zhao et al., 2020).

An augmentation is a function of (images, noise, step) that returns the augmented images. Images are (N, C, H, W) in G's
output range; shape, device and dtype do not change. Each image is augmented on its own. All random numbers come from
the generator `noise`. `step` is the number of generator updates before this one.

G learns through the augmentations, so they are differentiable in the images: twice, since penalties need that.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor


def translation(images: Tensor, noise: Generator, step: int, *, ratio: float = 0.125) -> Tensor:
    """Images that are shifted at random along H and W, by at most ratio · side pixels (rounded) each way.

    The edge pixels are repeated where a shift leaves a gap. So the background stays dark or light, as it is. The paper
    fills gaps with zeros instead, which are mid-grey where images are in [-1, 1]. ValueError unless ratio is in [0, 1].
    """
    _check_ratio(ratio)
    num, channels, height, width = images.shape
    rows = _shifted(height, int(ratio * height + 0.5), noise, images)
    columns = _shifted(width, int(ratio * width + 0.5), noise, images)
    image = torch.arange(num, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[:, None, None]
    return images[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def cutout(images: Tensor, noise: Generator, step: int, *, ratio: float = 0.5) -> Tensor:
    """Images in which a random square of side ratio · side is set to 0.

    The middle of the square is anywhere in the image, so a part of the square may lie outside. The value 0 is the
    paper's; it is mid-grey where images are in [-1, 1]. ValueError unless ratio is in [0, 1].
    """
    _check_ratio(ratio)
    height, width = images.shape[2:]
    rows = _covered(height, int(ratio * height + 0.5), noise, images)
    columns = _covered(width, int(ratio * width + 0.5), noise, images)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)  # (N, 1, H, W)


def brightness(images: Tensor, noise: Generator, step: int, *, spread: float = 0.5) -> Tensor:
    """Images to each of which one number from U(-spread, spread) is added, in units of the images' values.

    ValueError unless spread is finite and at least 0.
    """
    if not 0 <= spread < math.inf:
        raise ValueError(f"spread must be a number of at least 0, got {spread}")
    return images + _uniform(images, noise, -spread, spread)


def contrast(images: Tensor, noise: Generator, step: int, *, spread: float = 0.5) -> Tensor:
    """Images that are each scaled about their mean by a factor from U(1 - spread, 1 + spread).

    ValueError unless spread is in [0, 1].
    """
    if not 0 <= spread <= 1:
        raise ValueError(f"spread must be between 0 and 1, got {spread}")
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * _uniform(images, noise, 1 - spread, 1 + spread)


def instance_noise(
    images: Tensor, noise: Generator, step: int, *, std: float = 0.1, updates: int | None = None
) -> Tensor:
    """Images with N(0, std_t²) added to every pixel (Sønderby et al., 2017; Arjovsky and Bottou, 2017).

    std_t falls linearly from `std` to 0, which it reaches at generator update `updates`. If `updates` is None it stays
    at `std`. If std_t is 0 the images are returned as they are. ValueError unless std is finite and at least 0, and
    updates is at least 1.
    """
    if not 0 <= std < math.inf:
        raise ValueError(f"std must be a number of at least 0, got {std}")
    if updates is not None and updates < 1:
        raise ValueError(f"updates must be at least 1, or null for constant noise, got {updates}")
    std_now = std if updates is None else std * max(0.0, 1 - step / updates)
    if std_now == 0:
        return images
    return images + std_now * torch.randn(images.shape, generator=noise, device=noise.device).to(images)


def _check_ratio(ratio: float) -> None:
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio must be between 0 and 1, got {ratio}")


def _whole(images: Tensor, noise: Generator, low: int, high: int) -> Tensor:
    """One random whole number for each image, (N, 1); low and high are included."""
    shape = (len(images), 1)
    return torch.randint(low, high + 1, shape, generator=noise, device=noise.device).to(images.device)


def _uniform(images: Tensor, noise: Generator, low: float, high: float) -> Tensor:
    """One number from U(low, high) for each image, (N, 1, 1, 1)."""
    drawn = torch.rand((len(images), 1, 1, 1), generator=noise, device=noise.device)
    return (low + (high - low) * drawn).to(images)


def _shifted(side: int, reach: int, noise: Generator, images: Tensor) -> Tensor:
    """For each row of a shifted image, the row that it is taken from: (N, side). Beyond an edge it is the edge."""
    return (torch.arange(side, device=images.device) - _whole(images, noise, -reach, reach)).clamp(0, side - 1)


def _covered(side: int, size: int, noise: Generator, images: Tensor) -> Tensor:
    """Whether the square covers a row, for each row: (N, side). The square is placed as in the paper's code.

    The middle of an odd square is one of the `side` pixels. The middle of an even square is a border between pixels;
    there are side + 1 of these.
    """
    first = _whole(images, noise, 0, side - size % 2) - size // 2
    rows = torch.arange(side, device=images.device)
    return (first <= rows) & (rows < first + size)


AUGMENTATIONS: dict[str, Callable[..., Tensor]] = {
    "translation": translation,
    "cutout": cutout,
    "brightness": brightness,
    "contrast": contrast,
    "instance_noise": instance_noise,
}
