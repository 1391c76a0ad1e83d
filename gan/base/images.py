"""Images between uint8 and a network's range, and their grids."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gan.base.errors import UserError


def to_range(images: Tensor, limits: tuple[float, float]) -> Tensor:
    """uint8 in [0, 255], or floating point in [0, 1] (torchvision's ToTensor), -> the default float in [low, high]."""
    low, high = limits
    scale = (high - low) / 255 if images.dtype == torch.uint8 else high - low
    scaled = (images * scale).to(torch.get_default_dtype())
    return scaled if low == 0 else scaled + low


def to_uint8(images: Tensor, limits: tuple[float, float]) -> Tensor:
    """Float in [low, high] -> uint8, rounded to the nearest of 256 grey levels and clamped."""
    low, high = limits
    return ((images.float() - low) * (255 / (high - low))).round_().clamp_(0, 255).to(torch.uint8)


def pack(images: Tensor, count: int) -> Tensor:
    """(N, C, H, W) -> (N / count, count C, H, W): `count` images become the channels of one (PacGAN)."""
    if len(images) % count:
        raise UserError(f"recipe.packing {count} does not divide a batch of {len(images)}; give whole batches")
    return images if count == 1 else images.unflatten(0, (-1, count)).flatten(1, 2)


def grid(images: Tensor, columns: int = 10) -> Tensor:
    """uint8 (N, C, H, W) -> one uint8 picture (C, rows*(H+2)+2, columns*(W+2)+2), black between the tiles."""
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    picture = images.new_zeros(channels, rows * (height + 2) + 2, columns * (width + 2) + 2)
    for i, image in enumerate(images):
        top, left = 2 + i // columns * (height + 2), 2 + i % columns * (width + 2)
        picture[:, top : top + height, left : left + width] = image
    return picture


def write_png(picture: Tensor, path: Path) -> None:
    """uint8 (C, H, W), grey or RGB, -> a PNG file."""
    array = picture.cpu().squeeze(0).numpy() if picture.shape[0] == 1 else picture.cpu().permute(1, 2, 0).numpy()
    Image.fromarray(array).save(path, format="PNG")
