"""Distances between the rows of two arrays, in float64 and piece by piece, so that memory does not grow with both."""

from collections.abc import Iterator

import torch
from torch import Tensor

ROWS = 1000  # of the queries at a time: 10,000 points then take 80 MB


def pieces(queries: Tensor, points: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield which queries (M, D) come next, and their Euclidean distances (m, N) from all points (N, D).

    The squares are |a|² + |b|² - 2ab. Their rounding error is 1e-16 of |a|² + |b|², so that of two equal rows the
    distance is some 1e-8 of their length, not 0.
    """
    queries, points = _rows(queries), _rows(points)
    squares = points.square().sum(dim=1)
    for start in range(0, len(queries), ROWS):
        part = queries[start : start + ROWS]
        square = torch.addmm(squares[None, :] + part.square().sum(dim=1, keepdim=True), part, points.T, alpha=-2)
        yield slice(start, start + len(part)), square.clamp_(min=0).sqrt_()


def nearest(queries: Tensor, points: Tensor, k: int = 1, themselves: bool = False) -> tuple[Tensor, Tensor]:
    """Return distances (M, k) and indices (M, k) of the k nearest points of each query, the nearest first.

    With `themselves` the queries are the points, and a point is not among its own neighbours.
    """
    found = []
    for rows, distances in pieces(queries, points):
        if themselves:
            indices = torch.arange(rows.start, rows.stop)
            distances[indices - rows.start, indices] = torch.inf
        found.append(distances.topk(k, dim=1, largest=False))
    return torch.cat([values for values, _ in found]), torch.cat([indices for _, indices in found])


def _rows(array: Tensor) -> Tensor:
    return array.detach().flatten(1).to("cpu", torch.float64)
