"""The Fréchet distance, how far it can be trusted, and its limit for infinitely many fakes."""

from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from gan.measure.gaussian import Gaussian, frechet_distance, gaussian
from gan.measure.measure import Measure, Sample, Seen

BLOCKS = 20  # of the jackknife
SIZES = 15  # numbers of fakes that the limit is read from, as in Chong & Forsyth (2020)
SMALLEST = 0.5  # share of the fakes, of the smallest of these numbers


class Limit(NamedTuple):
    """A line through distances over one through the number of fakes."""

    value: float  # at infinitely many fakes
    slope: float


def standard_error(real: Gaussian, fake: Tensor) -> float:
    """Return the standard error of the distance of fake features (M, D), M >= 40, for these real ones.

    A delete-a-group jackknife over 20 groups (Efron & Stein, 1981). It is of the fakes alone: the real images are part
    of the protocol.
    """
    groups = [gaussian(part) for part in fake.detach().cpu().double().chunk(BLOCKS)]
    distances = torch.tensor(
        [frechet_distance(real, _pooled(groups[:n] + groups[n + 1 :])) for n in range(len(groups))]
    )
    return float(((len(groups) - 1) * distances.var(correction=0)).sqrt())


def frechet_limit_of(real: Gaussian, fake: Tensor, generator: Generator) -> Limit:
    """Return FID-infinity (Chong & Forsyth, 2020, sec. 3) of fake features (M, D): the distance without its bias by M.

    Distances of 15 random subsets, from half of the fakes to all of them, lie on a line over 1 / M. The bias by the
    number of real images stays.
    """
    fake = fake.detach().cpu().double()
    sizes = torch.linspace(SMALLEST * len(fake), len(fake), SIZES).round().long()
    distances = [
        frechet_distance(real, gaussian(fake[torch.randperm(len(fake), generator=generator)[:size]])) for size in sizes
    ]
    x, y = 1 / sizes.double(), torch.tensor(distances, dtype=torch.float64)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return Limit(float(y.mean() - slope * x.mean()), float(slope))


def _pooled(groups: list[Gaussian]) -> Gaussian:
    """Return the Gaussian of all features of these groups."""
    count = sum(group.count for group in groups)
    mean = torch.stack([group.count * group.mean for group in groups]).sum(dim=0) / count
    squares = torch.zeros_like(groups[0].covariance)
    for group in groups:
        shift = group.mean - mean
        squares += (group.count - 1) * group.covariance + group.count * torch.outer(shift, shift)
    return Gaussian(mean, squares / (count - 1), count)


UNSURE = 0.9  # real test digits are below it in 1 % of cases


def frechet() -> Measure:
    """Return the distance `fid` in the extractor's features, with the classes that its classifier sees.

    Beside it stand the share of each predicted class and of the rarest one, the median of the largest softmax
    probability, the share of images below 0.9 (smudges), and for a conditional generator the share of fakes that the
    classifier puts into their class.
    """

    def measured(seen: Seen) -> dict[str, Any]:
        fid = frechet_distance(seen.fake.gaussian, seen.real.gaussian)
        return {"fid": fid, **(_classes(seen.fake) if seen.fake.seen.logits is not None else {})}

    return Measure("frechet", 1, ("features",), {"fid": "lower"}, measured)


def frechet_limit() -> Measure:
    """Return `fid_infinity`, the distance of infinitely many fakes, and `fid_error`, the standard error of `fid`."""

    def measured(seen: Seen) -> dict[str, Any]:
        limit = frechet_limit_of(seen.real.gaussian, seen.fake.features, seen.noise)
        return {"fid_infinity": limit.value, "fid_error": standard_error(seen.real.gaussian, seen.fake.features)}

    return Measure("frechet_limit", 1, ("features",), {"fid_infinity": "lower", "fid_error": None}, measured)


def _classes(fake: Sample) -> dict[str, Any]:
    shares = (fake.predicted.bincount(minlength=fake.logits.shape[1]).double() / len(fake.logits)).tolist()
    confidence = fake.logits.softmax(dim=1).amax(dim=1)
    agreement = None if fake.labels is None else float((fake.predicted == fake.labels).double().mean())
    return {
        "class_share": shares,
        "min_class_share": min(shares),
        "median_confidence": float(confidence.median()),
        "unsure_share": float((confidence < UNSURE).double().mean()),
        "label_agreement": agreement,
    }
