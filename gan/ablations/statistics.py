"""Statistics of scores, on plain arrays.

A score is positive and better when it is smaller, as a Fréchet distance is. Its spread is multiplicative, so intervals
are taken on the logarithms: for three log-normal values Student's t on the logs covers 95 %, a percentile bootstrap of
the mean 73 %. A failure is a score of infinity: a run that diverged, crashed or collapsed. Each function says what it
does with failures.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gan.ablations.ranks import p_of_ranks, p_of_ranks_in_pairs

LEVEL = 0.95
Scores = NDArray[np.floating]


@dataclass(frozen=True)
class Interval:
    """An estimate between two bounds, from n values. Without bounds, NaN, where n says nothing about the spread."""

    value: float
    low: float
    high: float
    n: int


def scores_of(values: ArrayLike) -> Scores:
    """Return scores as an array (N,). Infinity and NaN are failures. ValueError for a score that is not positive."""
    scores = np.where(np.isnan(array := np.asarray(values, dtype=np.float64)), np.inf, array)
    if scores.ndim != 1 or not len(scores) or not (scores > 0).all():
        raise ValueError(f"scores must be one or more positive numbers, got {values!r:.200}")
    return scores


# One arm ---


def typical(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the geometric mean of the runs that did not fail, with its t interval on the logs.

    It describes the survivors. `failures` gives the rate that belongs beside it. NaN where all runs failed.
    """
    scores = scores_of(values)
    return _exponential(_t_interval(np.log(scores[np.isfinite(scores)]), level))


def failures(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the share of failed runs, with Wilson's interval (1927), which Brown, Cai and DasGupta (2001) recommend.

    A count moves in steps, and so does what an interval of it covers. Wilson's covers 95 % in the mean over all rates,
    and for single rates between 83 and 100 %.
    """
    scores = scores_of(values)
    failed = int(np.isinf(scores).sum())
    bounds = stats.binomtest(failed, len(scores)).proportion_ci(level, method="wilson")
    return Interval(failed / len(scores), float(bounds.low), float(bounds.high), len(scores))


# An arm against the baseline ---


@dataclass(frozen=True)
class Comparison:
    """An arm against the baseline."""

    ratio: Interval  # geometric mean of arm / baseline over the pairs in which neither failed
    p: float  # two-sided, that both arms' scores have one distribution; failures count as the worst scores, tied
    improvement: float  # probability that a run of the arm is better than one of the baseline; a tie counts half
    failed: tuple[int, int]  # runs of the arm and of the baseline that failed
    paired: bool

    @property
    def by_ranks(self) -> bool:
        """Whether failures made ranks decide. Without failures t on the logs does."""
        return any(self.failed)


def compare(arm: ArrayLike, baseline: ArrayLike, paired: bool = True, level: float = LEVEL) -> Comparison:
    """Compare an arm with the baseline. `paired`: run i of both has the same seed, data order and noise.

    Without a failure p is that of a t test on the logs: of the differences of pairs, or Welch's. With a failure it is
    exact, of the ranks: sign flips of the pairs' differences in rank, or rearrangements of the runs. At small n such a
    test cannot reject: the least p of three pairs is 0.25, of five 0.06; of three against three runs 0.1.
    """
    a, b = scores_of(arm), scores_of(baseline)
    if paired and len(a) != len(b):
        raise ValueError(f"pairs need as many scores in both arms, got {len(a)} and {len(b)}")
    failed = int(np.isinf(a).sum()), int(np.isinf(b).sum())
    better = float(np.mean((a[:, None] < b) + 0.5 * (a[:, None] == b)))
    if paired:
        both = np.isfinite(a) & np.isfinite(b)
        logs = np.log(a[both]) - np.log(b[both])
        ratio = _exponential(_t_interval(logs, level))
        p = p_of_ranks_in_pairs(a, b) if any(failed) else _p_of_t(logs)
    else:
        x, y = np.log(a[np.isfinite(a)]), np.log(b[np.isfinite(b)])
        ratio = _exponential(_welch_interval(x, y, level))
        p = p_of_ranks(a, b) if any(failed) else _p_of_welch(x, y)
    return Comparison(ratio, p, better, failed, paired)


def equivalent(arm: ArrayLike, baseline: ArrayLike, margin: float, paired: bool = True) -> float:
    """Return p of the two one-sided tests (Schuirmann, 1987): small where the ratio is within the margin for sure.

    `margin` 0.25 is a ratio between 1 / 1.25 and 1.25. With a failure in either arm it is 1: the scores of survivors
    cannot show that two arms are alike.
    """
    if margin <= 0:
        raise ValueError(f"the margin must be positive, got {margin}")
    a, b = scores_of(arm), scores_of(baseline)
    if np.isinf(a).any() or np.isinf(b).any():
        return 1.0
    x, y = np.log(a), np.log(b)
    mean, error, freedom = _of_pairs(x - y) if paired else _of_two(x, y)
    if not error > 0:
        return 1.0 if math.isnan(error) else float(abs(mean) >= math.log1p(margin))
    bound = math.log1p(margin)
    upper = stats.t.sf((bound - mean) / error, freedom)
    lower = stats.t.sf((bound + mean) / error, freedom)
    return float(max(lower, upper))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Return p values adjusted for their number (Holm, 1979): with all hypotheses true one false finding in twenty."""
    ordered = sorted(p, key=lambda name: p[name])
    adjusted, least = {}, 0.0
    for position, name in enumerate(ordered):
        least = max(least, min(1.0, (len(p) - position) * p[name]))
        adjusted[name] = least
    return {name: adjusted[name] for name in p}


# Where the spread comes from ---


def components(alone: Mapping[str, ArrayLike], together: ArrayLike, level: float = LEVEL) -> dict[str, Interval]:
    """Return the share of the variance of the log score that each source of randomness has.

    `alone` maps a source, such as `init`, to the scores of runs that differ in nothing else; the runs of `together`
    differ in all. A share is a ratio of two variances, and its interval is that of Fisher's F. Shares need not sum to
    one: sources act on one another. Failed runs are left out, since they have no logarithm; say how many there were.
    """
    whole = _finite_logs(together)
    found = {}
    for source, values in alone.items():
        logs = _finite_logs(values)
        if min(len(logs), len(whole)) < 2 or not whole.var() > 0:
            found[source] = Interval(math.nan, math.nan, math.nan, len(logs))
            continue
        share, freedoms = float(logs.var(ddof=1) / whole.var(ddof=1)), (len(logs) - 1, len(whole) - 1)
        low, high = (share / float(stats.f.ppf(q, *freedoms)) for q in ((1 + level) / 2, (1 - level) / 2))
        found[source] = Interval(share, low, high, len(logs))
    return found


def _finite_logs(values: ArrayLike) -> Scores:
    scores = scores_of(values)
    return np.log(scores[np.isfinite(scores)])


# What they have in common ---


def _t_interval(logs: Scores, level: float) -> Interval:
    mean, error, freedom = _of_pairs(logs)
    return _interval(mean, error, freedom, level, len(logs))


def _welch_interval(x: Scores, y: Scores, level: float) -> Interval:
    mean, error, freedom = _of_two(x, y)
    return _interval(mean, error, freedom, level, min(len(x), len(y)))


def _interval(mean: float, error: float, freedom: float, level: float, n: int) -> Interval:
    reach = _critical(level, freedom) * error if freedom > 0 else math.nan
    return Interval(mean, mean - reach, mean + reach, n)


@functools.lru_cache(maxsize=10_000)
def _critical(level: float, freedom: float) -> float:
    """Return how many standard errors the bounds are away."""
    return float(stats.t.isf((1 - level) / 2, freedom))


def _of_pairs(logs: Scores) -> tuple[float, float, float]:
    """Return mean, standard error and degrees of freedom."""
    n = len(logs)
    if not n:
        return math.nan, math.nan, 0
    return float(logs.mean()), float(logs.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan, n - 1


def _of_two(x: Scores, y: Scores) -> tuple[float, float, float]:
    """Return the difference of the means, its standard error and Welch's degrees of freedom."""
    if min(len(x), len(y)) < 2:
        return float(x.mean() - y.mean()) if min(len(x), len(y)) else math.nan, math.nan, 0
    a, b = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    freedom = (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1)) if a + b > 0 else len(x) + len(y) - 2
    return float(x.mean() - y.mean()), math.sqrt(a + b), float(freedom)


def _exponential(interval: Interval) -> Interval:
    return Interval(math.exp(interval.value), math.exp(interval.low), math.exp(interval.high), interval.n)


def _p_of_t(differences: Scores) -> float:
    mean, error, freedom = _of_pairs(differences)
    return _two_sided(mean, error, freedom)


def _p_of_welch(x: Scores, y: Scores) -> float:
    return _two_sided(*_of_two(x, y))


def _two_sided(mean: float, error: float, freedom: float) -> float:
    if math.isnan(error):
        return 1.0
    if error == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean) / error, freedom))
