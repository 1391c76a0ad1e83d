"""Known damage of real images, and how surely a measure sees it.

Fakes are real images that neither the classifier's test images nor the assumed training set hold, undamaged or damaged
in a known way. A measure is worth what it tells of these.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.stats import norm, t
from torch import Generator, Tensor
from torch.nn.functional import conv2d, pad

from gan.base.streams import stream
from gan.data.split import Split
from gan.measure.direction import Better
from gan.measure.extractors.extractor import Extractor
from gan.measure.measure import Sample, Seen
from gan.measure.registry import Chosen

LEVEL = 0.05  # of a false alarm
NOTHING = "nothing"


@dataclass(frozen=True)
class Material:
    """What fakes are made of."""

    fresh: Split  # images that no generator was trained on
    train: Split  # those that it was trained on


Damage = Callable[[Material, int, Generator], Tensor]


def drawn(split: Split, num: int, noise: Generator, kept: Tensor | None = None) -> Tensor:
    """Return `num` different images (num, C, H, W), of those whose flag in `kept` (N,) is set, or of all."""
    places = torch.arange(len(split)) if kept is None else kept.nonzero()[:, 0]
    if len(places) < num:
        raise ValueError(f"{num} images are to be drawn, but there are {len(places)}")
    return split.images[places[torch.randperm(len(places), generator=noise)[:num]]]


def noise_of(sigma: float) -> Damage:
    """Return the damage by Gaussian noise of `sigma` grey levels of 255, rounded and clipped."""

    def damage(material: Material, num: int, noise: Generator) -> Tensor:
        images = drawn(material.fresh, num, noise).float()
        return (images + sigma * torch.randn(images.shape, generator=noise)).round().clamp(0, 255).to(torch.uint8)

    return damage


def blur_of(sigma: float) -> Damage:
    """Return the damage by a Gaussian blur of `sigma` pixels."""
    radius = math.ceil(3 * sigma)
    weights = torch.exp(-(torch.arange(-radius, radius + 1).double() ** 2) / (2 * sigma**2)).float()
    weights = (weights / weights.sum()).view(1, 1, 1, -1)

    def damage(material: Material, num: int, noise: Generator) -> Tensor:
        images = drawn(material.fresh, num, noise).float()
        channels = images.shape[1]
        rows = weights.expand(channels, 1, 1, -1)
        padded = pad(images, (radius,) * 4, mode="replicate")
        blurred = conv2d(conv2d(padded, rows, groups=channels), rows.mT, groups=channels)
        return blurred.round().clamp(0, 255).to(torch.uint8)

    return damage


def shift_of(pixels: int) -> Damage:
    """Return the damage by a shift to the right, with the left column repeated."""

    def damage(material: Material, num: int, noise: Generator) -> Tensor:
        images = drawn(material.fresh, num, noise)
        return torch.cat([images[..., :1].expand(*images.shape[:-1], pixels), images[..., :-pixels]], dim=-1)

    return damage


def without_class(material: Material, num: int, noise: Generator) -> Tensor:
    """Return images without one class: the third, or the second of two."""
    lost = min(2, int(material.fresh.labels.max()))
    return drawn(material.fresh, num, noise, material.fresh.labels != lost)


def half_of_the_classes(material: Material, num: int, noise: Generator) -> Tensor:
    """Return images of the first half of the classes."""
    classes = int(material.fresh.labels.max()) + 1
    return drawn(material.fresh, num, noise, material.fresh.labels < (classes + 1) // 2)


def a_class_twice(material: Material, num: int, noise: Generator) -> Tensor:
    """Return images of which one class is twice as frequent as it was: the third, or the second of two."""
    labels = material.fresh.labels
    common = min(2, int(labels.max()))
    share = float((labels == common).double().mean())
    more = round(num * 2 * share / (1 + share))
    chosen = [
        drawn(material.fresh, count, noise, flags)
        for count, flags in ((more, labels == common), (num - more, labels != common))
    ]
    return torch.cat(chosen)[torch.randperm(num, generator=noise)]


def duplicates_of(share: float) -> Damage:
    """Return the damage by which this share of the images are copies of others among them."""

    def damage(material: Material, num: int, noise: Generator) -> Tensor:
        copies = round(share * num)
        images = drawn(material.fresh, num - copies, noise)
        again = images[torch.randint(len(images), (copies,), generator=noise)]
        return torch.cat([images, again])[torch.randperm(num, generator=noise)]

    return damage


def memorised(material: Material, num: int, noise: Generator) -> Tensor:
    """Return images of the training set as they are."""
    return drawn(material.train, num, noise)


def nothing(material: Material, num: int, noise: Generator) -> Tensor:
    """Return fresh images as they are: what a perfect generator draws."""
    return drawn(material.fresh, num, noise)


DAMAGES: dict[str, Damage] = {
    NOTHING: nothing,
    "noise, sigma 4": noise_of(4),
    "noise, sigma 16": noise_of(16),
    "blur, sigma 0.5": blur_of(0.5),
    "blur, sigma 1": blur_of(1.0),
    "shifted by 1 px": shift_of(1),
    "a class missing": without_class,
    "a class twice": a_class_twice,
    "half of the classes": half_of_the_classes,
    "20 % duplicates": duplicates_of(0.2),
    "training set": memorised,
}


def calibrated(
    real: Split,
    material: Material,
    extractor: Extractor | None,
    measures: Sequence[Chosen],
    points: Iterable[tuple[str, int, int]],
) -> Iterator[dict[str, Any]]:
    """Yield a row for each point (damage, number of fakes, draw): the values of all measures."""
    sides = Sample(real.images, real.labels, extractor), Sample(material.train.images, material.train.labels, extractor)
    for damage, num, draw in points:
        fake = Sample(DAMAGES[damage](material, num, stream(f"damage {damage}", num, draw)), None, extractor)
        values: dict[str, Any] = {}
        for one in measures:
            seen = Seen(sides[0], fake, sides[0], stream(f"measure {one.measure.name}", draw), sides[1])
            found = one.measure.function(seen)
            values |= {name: found[name] for name in one.measure.values}
        yield {"damage": damage, "num": num, "draw": draw, "num_real": len(real), "values": values}


@dataclass(frozen=True)
class Cell:
    """What a measure says of one damage."""

    mean: float
    low: float  # of the t interval of the mean over draws
    high: float
    power: float  # probability that one evaluation is beyond what undamaged images give, at a level of 5 %


def cell(values: Sequence[float], undamaged: Sequence[float], better: Better | None) -> Cell:
    """Return the mean of a measure over draws, and the power of one evaluation.

    An evaluation alarms if it is beyond the prediction interval of undamaged images: on the worse side where one side
    is worse, else on both. Values of a damage are taken as normal with their own mean and spread.
    """
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    half = float(t.ppf(0.975, len(values) - 1)) * spread / math.sqrt(len(values))
    centre, scale = statistics.fmean(undamaged), statistics.stdev(undamaged)
    scale *= math.sqrt(1 + 1 / len(undamaged))
    sides = 1 if isinstance(better, str) else 2
    bound = float(t.ppf(1 - LEVEL / sides, len(undamaged) - 1)) * scale
    above = _tail((centre + bound - mean), spread) if better != "higher" else 0.0
    below = _tail((mean - centre + bound), spread) if better != "lower" else 0.0
    return Cell(mean, mean - half, mean + half, min(1.0, above + below))


def _tail(distance: float, spread: float) -> float:
    """Return how likely a normal value of this spread is further from its mean than `distance`."""
    if spread == 0:
        return float(distance < 0)
    return float(norm.sf(distance / spread))


def cells(rows: Sequence[Mapping[str, Any]], name: str, better: Better | None, num: int) -> dict[str, Cell | None]:
    """Return damage -> what a measure's value says of it at this number of fakes. None where it is not finite."""
    by_damage: dict[str, list[float]] = {}
    for row in rows:
        if row["num"] == num:
            by_damage.setdefault(row["damage"], []).append(row["values"][name])
    finite = {key: all(v is not None and math.isfinite(v) for v in values) for key, values in by_damage.items()}
    return {
        damage: cell(values, by_damage[NOTHING], better)
        if finite[damage] and finite[NOTHING] and len(values) > 1
        else None
        for damage, values in by_damage.items()
    }
