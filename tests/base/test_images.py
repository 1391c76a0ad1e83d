"""Ranges, rounding, grids and PNG files."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan.base.images import grid, to_range, to_uint8, write_png


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
