"""Augmentations against loops over pixels, their distributions and their derivatives."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from gan.base.streams import stream
from gan.parts.augmentations import AUGMENTATIONS

NAMES = sorted(AUGMENTATIONS)
SIDE = 8


def images(num=5, channels=2, height=SIDE, width=6, dtype=torch.float64):
    return torch.rand((num, channels, height, width), generator=stream("images"), dtype=dtype) * 2 - 1


def augmented(name, batch, seed=1, step=0, **parameters):
    return AUGMENTATIONS[name](batch, stream("noise", seed), step, **parameters)


def shifted(image, down, right):
    """(C, H, W) moved, pixel by pixel; beyond the edge is the edge."""
    channels, height, width = image.shape
    moved = np.empty_like(image)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                moved[c, y, x] = image[c, min(max(y - down, 0), height - 1), min(max(x - right, 0), width - 1)]
    return moved


def cut(image, middle_y, middle_x, size_y, size_x):
    """(C, H, W) with a square of 0; a middle of an even size is the border above (left of) the pixel of its number."""
    channels, height, width = image.shape
    left = image.copy()
    for c in range(channels):
        for y in range(middle_y - size_y // 2, middle_y - size_y // 2 + size_y):
            for x in range(middle_x - size_x // 2, middle_x - size_x // 2 + size_x):
                if 0 <= y < height and 0 <= x < width:
                    left[c, y, x] = 0
    return left


# Each by itself -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratio", "down", "right"), [(0.25, 2, 2), (0.125, 1, 1), (1.0, 8, 6), (0.0, 0, 0)])
def test_translation_moves_each_image_by_whole_pixels(ratio, down, right):
    """By one of the shifts that the ratio allows on 8×6 images, as the loops move it."""
    batch = images()
    moved = augmented("translation", batch, ratio=ratio)
    for image, result in zip(batch.numpy(), moved.numpy(), strict=True):
        allowed = [(d, r) for d in range(-down, down + 1) for r in range(-right, right + 1)]
        assert any(np.array_equal(shifted(image, d, r), result) for d, r in allowed)


def test_translation_draws_every_shift_equally_often():
    """4 pixels each way at 28×28, an eighth, rounded; rows and columns on their own."""
    ramp = (torch.arange(28)[:, None] * 100 + torch.arange(28)).double().expand(8100, 1, 28, 28)
    moved = augmented("translation", ramp)[:, 0, 14, 14]
    counts = Counter((14 - int(v) // 100, 14 - int(v) % 100) for v in moved)
    assert counts.keys() == {(d, r) for d in range(-4, 5) for r in range(-4, 5)}
    chi_squared = sum((count - 100) ** 2 / 100 for count in counts.values())
    assert chi_squared < 140  # 80 degrees of freedom: exceeded once in 2e4


@pytest.mark.parametrize("background", [-1.0, 0.0, 1.0])
def test_translation_keeps_the_background(background):
    """Of dark and of light images alike: an image of one value stays one, and a bar is still a bar."""
    plain = torch.full((20, 1, 28, 28), background)
    assert torch.equal(augmented("translation", plain, ratio=0.5), plain)
    bar = plain.clone()
    bar[:, :, 10:18, 10:18] = 0.5
    moved = augmented("translation", bar, ratio=0.25)
    assert torch.equal(moved.flatten(1).sort(dim=1).values, bar.flatten(1).sort(dim=1).values)


@pytest.mark.parametrize(
    ("ratio", "height", "width"), [(0.5, 4, 3), (0.34, 3, 2), (0.125, 1, 1), (1.0, 8, 6), (0.0, 0, 0)]
)
def test_cutout_empties_a_square_of_each_image(ratio, height, width):
    """As the loops do, at one of the places that the paper's code allows on 8×6 images."""
    batch = images()
    result = augmented("cutout", batch, ratio=ratio)
    places = [(y, x) for y in range(9 - height % 2) for x in range(7 - width % 2)]
    for image, cut_image in zip(batch.numpy(), result.numpy(), strict=True):
        assert any(np.array_equal(cut(image, y, x, height, width), cut_image) for y, x in places)


def test_cutout_is_anywhere_even_partly_outside():
    """Half of 8×8: middles on all 9 × 9 corners of pixels, equally often; never more than 4×4 pixels, at least 2×2."""
    ones = torch.ones(8100, 1, SIDE, SIDE)
    gone = augmented("cutout", ones)[:, 0] == 0
    rows, columns = gone.any(2), gone.any(1)
    assert torch.equal(gone, rows[:, :, None] & columns[:, None, :])
    for covered in (rows, columns):
        assert set(covered.sum(1).tolist()) == {2, 3, 4}
        expected = torch.tensor([min(y + 3, SIDE + 2 - y, 4) for y in range(SIDE)]) / 9  # middles that reach row y
        torch.testing.assert_close(covered.float().mean(0), expected, rtol=0, atol=0.025)
    patterns = Counter(zip(map(tuple, rows.tolist()), map(tuple, columns.tolist()), strict=True))
    assert len(patterns) == 81
    assert sum((count - 100) ** 2 / 100 for count in patterns.values()) < 145  # 80 degrees of freedom: once in 8e4


@pytest.mark.parametrize("spread", [0.5, 0.2])
def test_brightness_adds_one_number_to_each_image(spread):
    batch = images(num=4000)
    change = (augmented("brightness", batch, **({} if spread == 0.5 else {"spread": spread})) - batch).flatten(1)
    torch.testing.assert_close(change, change[:, :1].expand_as(change))
    assert_uniform(change[:, 0], -spread, spread)


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_contrast_scales_each_image_about_its_mean(spread):
    batch = images(num=4000)
    result = augmented("contrast", batch, **({} if spread == 0.5 else {"spread": spread}))
    means = batch.flatten(1).mean(1)
    torch.testing.assert_close(result.flatten(1).mean(1), means)
    scale = result.flatten(1).std(1) / batch.flatten(1).std(1)
    torch.testing.assert_close(
        result, means.view(-1, 1, 1, 1) + (batch - means.view(-1, 1, 1, 1)) * scale[:, None, None, None]
    )
    assert_uniform(scale, 1 - spread, 1 + spread)


def assert_uniform(sample, low, high):
    """Kolmogorov and Smirnov's distance of 4,000 numbers from U(low, high): 0.04 is exceeded once in 2e5."""
    position = (sample.sort().values - low) / (high - low)
    assert position.min() >= -1e-6
    assert position.max() <= 1 + 1e-6
    assert (position - torch.arange(len(sample)) / len(sample)).abs().max() < 0.04


@pytest.mark.parametrize(
    ("parameters", "step", "std"),
    [
        ({}, 0, 0.1),
        ({}, 10**6, 0.1),
        ({"std": 0.4}, 7, 0.4),
        ({"std": 0.4, "updates": 100}, 0, 0.4),
        ({"std": 0.4, "updates": 100}, 25, 0.3),
        ({"std": 0.4, "updates": 100}, 99, 0.004),
    ],
)
def test_instance_noise_is_normal_and_fades_linearly(parameters, step, std):
    """On every pixel by itself."""
    batch = images(num=1000)
    noise = (augmented("instance_noise", batch, step=step, **parameters) - batch) / std  # 96,000 numbers
    assert noise.mean().item() == pytest.approx(0, abs=0.02)
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    assert (noise.abs() < 1).double().mean().item() == pytest.approx(math.erf(0.5**0.5), abs=0.01)
    assert noise.mean(dim=(2, 3)).std().item() == pytest.approx((SIDE * 6) ** -0.5, rel=0.1)  # pixels are independent


@pytest.mark.parametrize(
    ("parameters", "step"), [({"updates": 100}, 100), ({"updates": 100}, 101), ({"updates": 1}, 1), ({"std": 0.0}, 0)]
)
def test_without_noise_images_are_untouched(parameters, step):
    batch, noise = images(), stream("noise", 1)
    assert AUGMENTATIONS["instance_noise"](batch, noise, step, **parameters) is batch
    assert torch.equal(noise.get_state(), stream("noise", 1).get_state())


# Laws of all ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_shape_and_dtype_stay(name, dtype):
    for shape in ((1, 28, 28), (3, 5, 9)):
        batch = images(4, *shape, dtype=dtype)
        copy = batch.clone()
        result = augmented(name, batch)
        assert result.shape == batch.shape
        assert result.dtype == dtype
        assert torch.equal(batch, copy)
        assert not torch.equal(result, batch)


@pytest.mark.parametrize("name", NAMES)
def test_each_image_is_drawn_on_its_own(name):
    """Copies of one image become different ones."""
    batch = images(num=1).expand(40, -1, -1, -1)
    results = augmented(name, batch, **({"ratio": 0.5} if name == "translation" else {})).flatten(1)
    assert len(results.unique(dim=0)) > 20


@pytest.mark.parametrize("name", NAMES)
def test_random_numbers_come_from_the_generator_alone(name):
    before, batch = torch.get_rng_state(), images(num=20)
    first, again, other = (augmented(name, batch, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_flow_to_the_images(name):
    """Once, for G, and twice, for gradient penalties: against finite differences."""
    batch = images(num=2, channels=1, height=3, width=4).requires_grad_()
    parameters = {"ratio": 0.4} if name == "translation" else {}
    assert torch.autograd.gradcheck(lambda x: augmented(name, x, **parameters), batch)
    assert torch.autograd.gradgradcheck(lambda x: augmented(name, x, **parameters) ** 3, batch)


def test_translation_s_gradient_returns_to_where_pixels_came_from():
    """Each pixel's is the number of pixels that were made from it; none is lost."""
    batch = images().requires_grad_()
    weights = torch.rand(batch.shape, generator=stream("weights"), dtype=torch.float64)
    (gradient,) = torch.autograd.grad((augmented("translation", batch, ratio=0.5) * weights).sum(), batch)
    torch.testing.assert_close(gradient.sum((1, 2, 3)), weights.sum((1, 2, 3)))
    assert not torch.equal(gradient, weights)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("translation", {"ratio": -0.1}, "ratio must be between 0 and 1, got -0.1"),
        ("translation", {"ratio": 1.5}, "ratio must be between 0 and 1, got 1.5"),
        ("cutout", {"ratio": math.nan}, "ratio must be between 0 and 1, got nan"),
        ("brightness", {"spread": -0.5}, "spread must be a number of at least 0, got -0.5"),
        ("brightness", {"spread": math.inf}, "spread must be a number of at least 0, got inf"),
        ("contrast", {"spread": 1.1}, "spread must be between 0 and 1, got 1.1"),
        ("contrast", {"spread": -0.1}, "spread must be between 0 and 1, got -0.1"),
        ("instance_noise", {"std": -1.0}, "std must be a number of at least 0, got -1.0"),
        ("instance_noise", {"std": math.nan}, "std must be a number of at least 0, got nan"),
        ("instance_noise", {"updates": 0}, "updates must be at least 1, or null for constant noise, got 0"),
    ],
)
def test_parameters_out_of_range_are_refused(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        augmented(name, images(), **parameters)
