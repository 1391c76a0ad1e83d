"""Known damage: what it does to images, and how surely a measure sees it."""

import pytest
import torch

from gan.base.streams import stream
from gan.data.split import Split
from gan.measure.calibration import DAMAGES, NOTHING, Material, calibrated, cell, cells
from gan.measure.registry import chosen


def split(num, seed, labels=10):
    images = torch.randint(0, 256, (num, 1, 14, 14), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Split(images, torch.arange(num) % labels)


MATERIAL = Material(split(400, 0), split(300, 1))


def labels_of(images):
    """Labels of images that were drawn undamaged from the fresh ones."""
    pair = MATERIAL.fresh.images, MATERIAL.fresh.labels
    known = {image.numpy().tobytes(): int(label) for image, label in zip(*pair, strict=True)}
    return torch.tensor([known[image.numpy().tobytes()] for image in images])


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_gives_as_many_images_as_asked_for_and_the_same_again(name):
    first, again = (DAMAGES[name](MATERIAL, 100, stream("damage", 3)) for _ in range(2))
    assert (first.shape, first.dtype) == ((100, 1, 14, 14), torch.uint8)
    assert torch.equal(first, again)
    assert not torch.equal(first, DAMAGES[name](MATERIAL, 100, stream("damage", 4)))


def test_the_classes_are_damaged_as_their_names_say():
    def shares(name):
        return labels_of(DAMAGES[name](MATERIAL, 150, stream("damage", 0))).bincount(minlength=10) / 150

    assert shares("a class missing")[2] == 0
    assert (shares("half of the classes")[5:] == 0).all()
    twice = shares("a class twice")
    assert float(twice[2]) == pytest.approx(0.2 / 1.1, abs=0.01)
    duplicates = DAMAGES["20 % duplicates"](MATERIAL, 100, stream("damage", 0))
    assert len(duplicates.flatten(1).unique(dim=0)) == 80
    trained = {image.numpy().tobytes() for image in MATERIAL.train.images}
    assert all(image.numpy().tobytes() in trained for image in DAMAGES["training set"](MATERIAL, 50, stream("d", 0)))


def test_more_images_than_there_are_are_refused():
    with pytest.raises(ValueError, match="are to be drawn"):
        DAMAGES["a class missing"](MATERIAL, 400, stream("damage", 0))


def test_power_is_one_of_what_is_far_away_and_the_level_of_what_is_not_damaged():
    floor = torch.randn(2000, generator=torch.Generator().manual_seed(0)).tolist()
    assert cell([x + 20 for x in floor[:5]], floor, "lower").power == pytest.approx(1)
    assert cell([x - 20 for x in floor[:5]], floor, "lower").power == pytest.approx(0)  # better than real
    assert cell([x - 20 for x in floor[:5]], floor, "higher").power == pytest.approx(1)
    assert cell([x - 20 for x in floor[:5]], floor, 0.0).power == pytest.approx(1)
    for better in ("lower", "higher", 0.0):
        assert cell(floor, floor, better).power == pytest.approx(0.05, abs=0.01)
    found = cell([1.0, 2.0, 3.0], floor, "lower")
    assert (found.mean, found.high - found.mean) == pytest.approx((2, 4.303 / 3**0.5), rel=1e-3)


def test_rows_become_cells():
    points = [(damage, 60, draw) for damage in (NOTHING, "noise, sigma 16") for draw in range(3)]
    rows = list(calibrated(split(80, 5), MATERIAL, None, chosen({"patches": {}}), points))
    assert [(row["damage"], row["num"], row["draw"]) for row in rows] == points
    found = cells(rows, "swd", "lower", 60)
    assert found["noise, sigma 16"].mean > 0
    assert cells([{**row, "values": {"swd": None}} for row in rows], "swd", "lower", 60)[NOTHING] is None
