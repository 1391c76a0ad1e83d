"""Images between uint8 and a network's range, and their grids."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gan.base.errors import UserError

COLUMNS, BORDER = 10, 2  # of a grid: images in a row, black pixels between them
MAX_SIDE = 65_535  # pixels: a GIF's header has two bytes for each side
MAX_PIXELS = 2**27  # of a grid, or of all frames of a film


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


def grid(images: Tensor, columns: int = COLUMNS, scale: int = 1) -> Tensor:
    """uint8 (N, C, H, W) -> one uint8 picture (C, rows*(H+2)+2, columns*(W+2)+2), black between the tiles.

    With a `scale` each of its pixels becomes a square of so many pixels a side.
    """
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    cells = images.new_zeros(rows * columns, channels, height + BORDER, width + BORDER)
    cells[:count, :, BORDER:, BORDER:] = images
    picture = images.new_zeros(channels, rows * (height + BORDER) + BORDER, columns * (width + BORDER) + BORDER)
    rows_of_cells = cells.unflatten(0, (rows, columns)).permute(2, 0, 3, 1, 4)  # (C, rows, H+2, columns, W+2)
    picture[:, :-BORDER, :-BORDER] = rows_of_cells.flatten(3).flatten(1, 2)
    return picture.repeat_interleave(scale, 1).repeat_interleave(scale, 2)


def cut(picture: Tensor, rows: int, columns: int = COLUMNS) -> Tensor:
    """A picture of `grid` -> its images, uint8 (rows * columns, C, H, W), black ones at the empty places."""
    cells = picture[:, BORDER:, BORDER:].unflatten(2, (columns, -1)).unflatten(1, (rows, -1))
    return cells[:, :, :-BORDER, :, :-BORDER].permute(1, 3, 0, 2, 4).flatten(0, 1)


def check_grid(images: Tensor, columns: int, scale: int, frames: int = 1) -> None:
    """UserError for a grid of these images, or a film of so many grids, that is too large a picture."""
    count, _, height, width = images.shape
    high, wide = (
        scale * (n * (side + BORDER) + BORDER) for n, side in ((-(-count // columns), height), (columns, width))
    )
    if max(high, wide) > MAX_SIDE or frames * high * wide > MAX_PIXELS:
        film = f"{frames} frames of " if frames > 1 else ""
        raise UserError(
            f"{film}{wide:,} x {high:,} pixels are too many for a picture: at most {MAX_SIDE:,} a side and "
            f"{MAX_PIXELS:,} in all are allowed; give other --columns, a smaller --scale or a smaller --num"
        )


def write_png(picture: Tensor, path: Path) -> None:
    """uint8 (C, H, W), grey or RGB, -> a PNG file."""
    _to_pillow(picture).save(path, format="PNG")


def write_gif(frames: Sequence[Tensor], milliseconds: Sequence[int], path: Path) -> None:
    """uint8 frames (C, H, W), grey or RGB, each with its time -> a GIF file that plays for ever.

    Grey frames keep their pixels. Of coloured ones each has at most 256 colours.
    """
    first, *others = map(_to_pillow, frames)
    first.save(path, format="GIF", save_all=True, append_images=others, duration=list(milliseconds), loop=0)


def _to_pillow(picture: Tensor) -> Image.Image:
    array = picture.cpu().squeeze(0).numpy() if picture.shape[0] == 1 else picture.cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(array)
