"""Ranges, rounding, grids and PNG files."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan.base.errors import UserError
from gan.base.images import check_grid, cut, grid, to_range, to_uint8, write_gif, write_png


@pytest.mark.parametrize("limits", [(0.0, 1.0), (-1.0, 1.0)])
def test_every_grey_level_survives_the_way_there_and_back(limits):
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    scaled = to_range(levels, limits)
    assert scaled.dtype == torch.float32
    assert (scaled.min(), scaled.max()) == limits
    assert torch.equal(to_uint8(scaled, limits), levels)
    assert torch.allclose(to_range(levels.float() / 255, limits), scaled, atol=1e-6)  # torchvision's ToTensor


def test_rounding_is_to_the_nearest_level_and_clamped():
    values = torch.tensor([-5.0, 0.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 5.0])
    assert to_uint8(values, (0.0, 1.0)).tolist() == [0, 0, 0, 1, 255, 255, 255]


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (10, 1), (11, 2), (100, 10)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_has_every_image_in_its_place(count, rows, channels):
    images = torch.randint(1, 256, (count, channels, 6, 5), dtype=torch.uint8)
    picture = grid(images)
    assert picture.shape == (channels, rows * 8 + 2, 10 * 7 + 2)
    for i, image in enumerate(images):
        top, left = 2 + i // 10 * 8, 2 + i % 10 * 7
        assert torch.equal(picture[:, top : top + 6, left : left + 5], image)
    assert int((picture > 0).sum()) == images.numel(), "between the tiles it is black"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_same_pixels(channels, tmp_path):
    picture = torch.randint(0, 256, (channels, 9, 7), dtype=torch.uint8)
    write_png(picture, tmp_path / "a.png")
    found = np.asarray(Image.open(tmp_path / "a.png"))
    wanted = picture.permute(1, 2, 0).numpy()
    assert np.array_equal(found, wanted if channels == 3 else wanted[..., 0])


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (7, 3, 3), (4, 9, 1)])
def test_a_grid_of_any_columns_is_cut_into_its_images_again(count, columns, rows):
    images = torch.randint(1, 256, (count, 3, 6, 5), dtype=torch.uint8)
    picture = grid(images, columns)
    assert picture.shape == (3, rows * 8 + 2, columns * 7 + 2)
    again = cut(picture, rows, columns)
    assert torch.equal(again[:count], images)
    assert not again[count:].any()


def test_a_scale_makes_squares_of_pixels():
    images = torch.randint(1, 256, (3, 1, 4, 5), dtype=torch.uint8)
    small, large = grid(images, 2), grid(images, 2, scale=3)
    assert large.shape == (1, 3 * small.shape[1], 3 * small.shape[2])
    for i in range(3):
        for j in range(3):
            assert torch.equal(large[:, i::3, j::3], small)


@pytest.mark.parametrize(("columns", "scale", "frames"), [(30_000, 1, 1), (2, 2000, 1), (1, 1, 10**7), (1, 60_000, 1)])
def test_a_grid_that_is_too_large_a_picture_is_refused(columns, scale, frames):
    with pytest.raises(UserError, match="pixels are too many for a picture"):
        check_grid(torch.zeros(2, 1, 1, 1), columns, scale, frames)


def test_the_frames_of_a_grey_gif_hold_the_same_pixels(tmp_path):
    frames = torch.randint(0, 256, (4, 1, 9, 7), dtype=torch.uint8)
    write_gif(list(frames), [40, 50, 60, 70], tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as film:
        for number, frame in enumerate(frames):
            film.seek(number)
            assert np.array_equal(np.asarray(film.convert("L")), frame[0].numpy())
            assert film.info["duration"] == 40 + 10 * number
        assert (film.n_frames, film.info["loop"]) == (4, 0)
