"""`film` gives the pictures that a run kept of its fixed noise, one for each step, so that training can be watched."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan.base.errors import UserError, whole
from gan.base.images import BORDER, COLUMNS, MAX_PIXELS, check_grid, cut, grid, write_gif
from gan.base.paths import absolute
from gan.data.files.pictures import MAX_BYTES, PictureError, decode_picture
from gan.runs.reader import Run, read_run

SECONDS = 10  # that a film lasts, unless its frames then are shorter or longer than these milliseconds
SHORTEST, LONGEST = 40, 500
END = 2_000  # milliseconds that the last frame stays longer


def film(path: str | Path, num: int | None = None, columns: int = COLUMNS, scale: int = 1) -> dict[int, Tensor]:
    """Return step -> frame, uint8 (C, H, W): the first `num` images of the run's `samples/step_N.png`, laid in a grid.

    By default all images are taken, and the frames are the pictures as they are. After a resumption with another
    `image_grid.num_images` they are those that all pictures have. UserError, in one line, for a mistake and for
    a picture that is damaged.
    """
    place = absolute(path, "path")
    if place.is_file():
        raise UserError(f"{place}: a file; a .gif shows the pictures that a run kept of its fixed noise: give the run")
    run = read_run(place)
    images = _images(run)
    most = min(_num_images(run), *map(len, images.values()))
    num = most if num is None else whole(num, "--num (of images that each of the run's pictures has)", 1, most)
    chosen = {step: of_step[:num] for step, of_step in images.items()}
    check_grid(next(iter(chosen.values())), columns, scale, len(chosen))
    return {step: grid(of_step, columns, scale) for step, of_step in chosen.items()}


def write_film(frames: dict[int, Tensor], path: Path) -> None:
    """Write the frames of a film as a GIF, which holds the last one longer."""
    each = 10 * round(min(LONGEST, max(SHORTEST, 1000 * SECONDS / len(frames))) / 10)  # a GIF counts in 10 ms
    write_gif(list(frames.values()), [*[each] * (len(frames) - 1), each + END], path)


def _num_images(run: Run) -> int:
    """Return the number of images in the run's newest pictures."""
    section = run.config.get("image_grid")
    num = section.get("num_images") if isinstance(section, dict) else None
    return whole(num, f"{run.directory}: image_grid.num_images in its config.yaml", 1)


def _images(run: Run) -> dict[int, Tensor]:
    """Return step -> images (N, C, H, W) of each picture; N is a multiple of the grid's columns."""
    pictures, pixels = {}, 0
    for step, file in run.pictures.items():
        pictures[step] = _read(file)
        pixels += pictures[step][0].numel()
        if pixels > MAX_PIXELS:
            raise UserError(
                f"{run.directory}: its pictures have more than the {MAX_PIXELS:,} pixels that a film may have"
            )
    if not pictures:
        raise UserError(
            f"{run.directory}: has no samples/step_N.png to make a film of; train with image_grid.every_n_steps above 0"
        )
    newest = pictures[max(pictures)]
    high = (newest.shape[1] - BORDER) // -(-_num_images(run) // COLUMNS)  # pixels of a row of images
    images = {}
    for step, picture in pictures.items():
        channels, height, width = picture.shape
        same = channels == newest.shape[0] and width == newest.shape[2] and width > COLUMNS * BORDER + BORDER
        fits = same and high > BORDER and (height - BORDER) % high == 0 and (width - BORDER) % COLUMNS == 0
        if fits:
            images[step] = cut(picture, (height - BORDER) // high)
        if not fits or not torch.equal(grid(images[step]), picture):
            raise UserError(f"{run.pictures[step]}: is not the grid that its run would have written; take it away")
    return images


def _read(file: Path) -> Tensor:
    """Return the pixels (C, H, W) of a grid. UserError for a file that is none."""
    try:
        if not file.is_file():
            raise PictureError("no file")
        with file.open("rb") as stream:
            picture = decode_picture(stream.read(MAX_BYTES + 1))
        if picture.mode not in ("L", "RGB"):
            raise PictureError(f"pixels of the kind {picture.mode}, where gan fit writes L or RGB")
    except (PictureError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{file}: {reason}; take it away to make a film of the others") from None
    pixels = torch.from_numpy(np.array(picture))
    return pixels[None] if picture.mode == "L" else pixels.permute(2, 0, 1)
