"""Fidelity and coverage by balls around nearest neighbours, each from 0 to about 1, larger is better.

Balls reach from a point to its k-th nearest neighbour of the same kind. Real images are points of `real` (N, D), those
of a generator of `fake` (M, D).
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.special import gammaln

from gan.measure.measure import Measure, Seen
from gan.measure.measures.distances import nearest, pieces

K = 5  # neighbours, as in Naeem et al. (2020) and Salvy et al. (2025)
RENAMED = {"precision": "knn_precision", "recall": "knn_recall"}  # rows say of numbers which precision they have


@dataclass(frozen=True)
class Neighbourhoods:
    """What the balls say of two sets of points."""

    precision: float  # share of fakes in a ball of a real image (Kynkäänniemi et al., 2019, eq. 1)
    recall: float  # share of real images in a ball of a fake
    density: float  # real balls that hold a fake, over k; it may exceed 1 (Naeem et al., 2020, eq. 4)
    coverage: float  # share of real balls that hold a fake (eq. 5)
    clipped_density: float  # at most 1, and not moved by outliers (Salvy et al., 2025, arXiv 2507.01761)
    clipped_coverage: float  # calibrated: the share of good samples that would cover as much (the same)


def neighbourhoods(real: Tensor, fake: Tensor, k: int = K) -> Neighbourhoods:
    """Return all six measures of real (N, D) and fake features (M, D), with k < N, M.

    Clipped density cuts the radii at their median, counts a fake at most once, and divides by what real images get.
    Clipped coverage counts at most k fakes a ball, and translates the count: `_share_that_covers`.
    """
    own, neighbours = nearest(real, real, k, themselves=True)  # (N, k)
    radii, radii_of_fakes = own[:, -1], nearest(fake, fake, k, themselves=True)[0][:, -1]
    clipped = radii.clamp(max=radii.median())
    holds, holds_clipped = torch.zeros(len(fake)), torch.zeros(len(fake))  # real balls that hold each fake
    held, recalled = [], []  # fakes in each real ball, at most k; whether a fake's ball holds each real image
    for rows, distances in pieces(real, fake):
        within = distances < radii[rows, None]  # (n, M)
        holds += within.sum(dim=0)
        holds_clipped += (distances <= clipped[rows, None]).sum(dim=0)
        held.append(within.sum(dim=1))
        recalled.append((distances < radii_of_fakes).any(dim=1))
    in_ball = torch.cat(held)
    own_count = neighbours[own <= clipped[:, None]].bincount(minlength=len(real))
    density = float((holds_clipped / k).clamp(max=1).double().mean())
    return Neighbourhoods(
        precision=_mean(holds > 0),
        recall=_mean(torch.cat(recalled)),
        density=float(holds.double().mean()) / k,
        coverage=_mean(in_ball > 0),
        clipped_density=min(1.0, density / float((own_count / k).clamp(max=1).double().mean())),
        clipped_coverage=_share_that_covers(float(in_ball.clamp(max=k).double().mean()) / k, len(real), len(fake), k),
    )


def _mean(flags: Tensor) -> float:
    return float(flags.double().mean())


def _share_that_covers(covered: float, num_real: int, num_fake: int, k: int) -> float:
    """Return which share of `num_fake` perfect samples would fill real balls as far: m / num_fake.

    A ball of k of `num_real` images holds J of m perfect samples, with J beta-binomial (m; k, num_real - k). Its mean
    of min(J, k) / k rises with m, so the smallest m with at least `covered` is found by halving.
    """
    low, high = 0, num_fake
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _covered_by(middle, num_real, k) < covered else (low, middle)
    return low / num_fake


def _covered_by(m: int, num_real: int, k: int) -> float:
    """Return the mean of min(J, k) / k, as 1 - sum over j < k of (1 - j / k) P(J = j)."""
    if m == 0:
        return 0.0
    j = torch.arange(min(k, m + 1), dtype=torch.float64)

    def logarithm_of_beta(a: Tensor, b: Tensor) -> Tensor:
        return gammaln(a) + gammaln(b) - gammaln(a + b)

    a, b, n = (torch.tensor(float(number), dtype=torch.float64) for number in (k, num_real - k, m))
    ways = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
    probabilities = (ways + logarithm_of_beta(j + a, n - j + b) - logarithm_of_beta(a, b)).exp()
    return 1 - float(((1 - j / k) * probabilities).sum())


def neighbours(*, k: int = K) -> Measure:
    """Return precision, recall, density, coverage and the clipped two, by balls to the k-th neighbour.

    The first is `clipped_density`, fidelity, the second `clipped_coverage`, how much of the real images is covered.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")

    def measured(seen: Seen) -> dict[str, Any]:
        found = asdict(neighbourhoods(seen.real.features, seen.fake.features, k))
        return {RENAMED.get(name, name): value for name, value in found.items()}

    names = ("clipped_density", "clipped_coverage", "knn_precision", "knn_recall", "density", "coverage")
    return Measure("neighbours", 1, ("features",), dict.fromkeys(names, "higher"), measured)
