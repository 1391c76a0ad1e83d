"""Exact tests of ranks, in which failures are the worst scores, tied."""

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

EXACT = 20_000  # rearrangements that are looked at one by one; where there are more, as many are drawn
Scores = NDArray[np.floating]


def p_of_ranks_in_pairs(a: Scores, b: Scores) -> float:
    """Return p of a sign flip of each pair's difference in rank. Failures have the highest rank, tied."""
    ranks = stats.rankdata(np.concatenate([a, b]))
    differences = ranks[: len(a)] - ranks[len(a) :]
    return _p_of_rearranging(_signs(len(a)) @ differences, differences.sum())


def p_of_ranks(a: Scores, b: Scores) -> float:
    """Return p of the sum of one arm's ranks under rearrangements of all runs. Failures have the highest rank, tied."""
    ranks = stats.rankdata(np.concatenate([a, b]))
    ranks -= ranks.mean()
    return _p_of_rearranging(_choices(len(a), len(ranks)) @ ranks, ranks[: len(a)].sum())


@functools.cache
def _signs(n: int) -> Scores:
    """Return every combination of n signs (2^n, n), or as many as EXACT, drawn, of which the first is all plus."""
    if 2**n <= EXACT:
        return 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    drawn = np.random.default_rng(0).choice([-1.0, 1.0], size=(EXACT, n))
    drawn[0] = 1.0
    return drawn


@functools.cache
def _choices(n: int, of: int) -> Scores:
    """Return every choice of n, as rows of 0 and 1, or as many as EXACT, drawn, of which the first has the first n."""
    if math.comb(of, n) <= EXACT:
        chosen = np.array(list(itertools.combinations(range(of), n)))
    else:
        chosen = np.random.default_rng(0).random((EXACT, of)).argsort(axis=1)[:, :n]
        chosen[0] = np.arange(n)
    rows = np.zeros((len(chosen), of))
    np.put_along_axis(rows, chosen, 1.0, axis=1)
    return rows


def _p_of_rearranging(found: Scores, observed: float) -> float:
    """Return the share of rearrangements, the observed one included, that are as far from zero as that one."""
    return float((np.abs(found) >= abs(observed) - 1e-9).mean())
