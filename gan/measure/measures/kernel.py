"""Kernel distance: the squared maximum mean discrepancy of features, without bias; 0 for equal distributions."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan.measure.measure import Measure, Seen
from gan.measure.measures.distances import ROWS

BLOCK = 1000  # features of either kind in a block


class KernelDistance(NamedTuple):
    """Smaller is better; an estimate may be negative."""

    value: float  # of all features
    error: float  # standard error of the mean over blocks; NaN with fewer than two blocks


def kernel_distance(real: Tensor, fake: Tensor) -> KernelDistance:
    """Return the distance of Bińkowski et al. (2018), sec. 4, of features (N, D) and (M, D), N, M >= 2.

    The kernel is (x·y / D + 1)³. `value` is the unbiased estimate from all pairs (Gretton et al., 2012, eq. 3), `error`
    comes from disjoint blocks of 1,000 features in the order given.
    """
    real, fake = real.detach().to("cpu", torch.float64), fake.detach().to("cpu", torch.float64)
    blocks = [
        _unbiased(a, b) for a, b in zip(real.split(BLOCK), fake.split(BLOCK), strict=False) if len(a) == len(b) == BLOCK
    ]
    error = float(torch.tensor(blocks).std() / len(blocks) ** 0.5) if len(blocks) > 1 else float("nan")
    return KernelDistance(_unbiased(real, fake), error)


def _unbiased(a: Tensor, b: Tensor) -> float:
    n, m = len(a), len(b)
    own = _sum(a, a, diagonal=False) / (n * (n - 1)) + _sum(b, b, diagonal=False) / (m * (m - 1))
    return own - 2 * _sum(a, b, diagonal=True) / (n * m)


def _sum(a: Tensor, b: Tensor, *, diagonal: bool) -> float:
    """Return the sum of the kernel over all pairs, without those of a row with itself unless `diagonal`."""
    whole = sum(float((part @ b.T / a.shape[1] + 1).pow(3).sum()) for part in a.split(ROWS))
    return whole if diagonal else whole - float((a.square().sum(dim=1) / a.shape[1] + 1).pow(3).sum())


def kernel() -> Measure:
    """Return `kid`, the kernel distance of features, and `kid_error`, its standard error by blocks of 1,000."""

    def measured(seen: Seen) -> dict[str, Any]:
        found = kernel_distance(seen.real.features, seen.fake.features)
        return {"kid": found.value, "kid_error": found.error}

    return Measure("kernel", 1, ("features",), {"kid": "lower", "kid_error": None}, measured)
