"""The Fréchet distance between two Gaussians, and between two sets of features through their Gaussians."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of a set of features, in float64 on the CPU: all devices then give the same distance."""

    mean: Tensor  # (D,)
    covariance: Tensor  # (D, D)
    count: int  # feature vectors behind them


def gaussian(features: Tensor) -> Gaussian:
    """Mean and unbiased covariance of features (N, D), N >= 2."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be (N, D) with N >= 2, not {tuple(features.shape)}")
    features = features.detach().to("cpu", torch.float64)
    mean = features.mean(dim=0)
    centred = features - mean
    return Gaussian(mean, centred.T @ centred / (len(features) - 1), len(features))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """|m1 - m2|² + tr(C1) + tr(C2) - 2 tr((C1 C2)^½)  (Dowson & Landau, 1982).

    On the features of a classifier's last hidden layer it is the distance of Heusel et al. (2017), there with
    Inception's features. The last trace is the nuclear norm of R1ᵀR2 where C = RRᵀ: no square root of a product that
    is not symmetric, so it stays real, and finite with fewer samples than features, where C is singular. With the
    traces as |R|² the sum cannot be negative but for rounding. NaN when a feature was not finite.
    """
    if not all(tensor.isfinite().all() for tensor in (a.mean, a.covariance, b.mean, b.covariance)):
        return float("nan")
    root_a, root_b = _root(a.covariance), _root(b.covariance)
    shift = (a.mean - b.mean).square().sum()
    overlap = torch.linalg.svdvals(root_a.T @ root_b).sum()
    return max(0.0, float(shift + root_a.square().sum() + root_b.square().sum() - 2 * overlap))


def _root(covariance: Tensor) -> Tensor:
    """R (D, D) with RRᵀ = C. Eigenvalues within rounding of zero, D ε λ_max, count as zero.

    `eigh` returns an eigenvalue of 0 as some ±ε λ_max. Its square root, 1e-8 sqrt(λ_max), would enter the distance.
    """
    values, vectors = torch.linalg.eigh(covariance)  # ascending
    rounding = len(values) * torch.finfo(values.dtype).eps * values[-1]
    return vectors * values.where(values > rounding, 0).sqrt()  # V sqrt(Λ): scales column i by sqrt(λ_i)
