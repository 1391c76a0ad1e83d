"""Statistics on scores whose distribution is known: what is promised of them holds in simulations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from gan.ablations.statistics import (
    compare,
    components,
    equivalent,
    failures,
    holm,
    scores_of,
    typical,
)

TIMES = 1000


def lognormal(seed, n, sigma, *, median=5.0, times=TIMES):
    return median * np.exp(sigma * np.random.default_rng(seed).standard_normal((times, n)))


def within(share, expected, times=TIMES):
    """Whether a share of simulations is what is expected, to four standard errors."""
    return abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / times)


@pytest.mark.parametrize("n", [3, 5, 20])
@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_intervals_of_scores_cover_what_they_say(n, sigma):
    found = [typical(scores) for scores in lognormal(n, n, sigma)]
    assert within(np.mean([i.low < 5.0 < i.high for i in found]), 0.95)
    assert {i.n for i in found} == {n}
    assert all(0 < i.low < i.value < i.high for i in found)
    ratios = [compare(a, b).ratio for a, b in zip(lognormal(1, n, sigma), lognormal(2, n, sigma), strict=True)]
    assert within(np.mean([i.low < 1 < i.high for i in ratios]), 0.95)


def test_a_percentile_bootstrap_of_three_values_covers_far_less():
    """What the intervals here are better than: 27 resamples of three values, of the mean."""
    choices = np.array(list(itertools.product(range(3), repeat=3)))
    means = lognormal(13, 3, 0.4, median=1.0, times=20_000)[:, choices].mean(axis=2)
    low, high = np.quantile(means, [0.025, 0.975], axis=1, method="inverted_cdf")
    truth = math.exp(0.4**2 / 2)
    assert np.mean((low < truth) & (truth < high)) == pytest.approx(0.73, abs=0.013)  # four standard errors


@pytest.mark.parametrize("n", [3, 5, 20])
def test_welch_s_intervals_of_unpaired_ratios_cover(n):
    pairs = zip(lognormal(3, n, 0.4), lognormal(4, n, 0.4, median=10.0), strict=True)
    found = [compare(a, b, paired=False).ratio for a, b in pairs]
    share = np.mean([i.low < 0.5 < i.high for i in found])
    assert 0.93 < share < 0.99  # of three runs it is a little wide


@pytest.mark.parametrize("n", [3, 5, 20])
def test_intervals_of_failure_rates_cover(n):
    """Exactly, over the binomial distribution of counts at each rate."""
    rates = np.linspace(0.005, 0.995, 199)
    covered = np.zeros(len(rates))
    for count in range(n + 1):
        found = failures([math.inf] * count + [1.0] * (n - count))
        assert (found.value, found.n) == (count / n, n)
        covered += stats.binom.pmf(count, n, rates) * ((found.low <= rates) & (rates <= found.high))
    assert 0.93 < covered.mean() < 0.97
    assert covered.min() > 0.83


@pytest.mark.parametrize("n", [3, 5, 20])
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_equal_arms_are_told_apart_at_most_as_often_as_said(n, paired, rate):
    a, b = (lognormal(seed, n, 0.4) for seed in (5, 6))
    failed = np.random.default_rng(7).random((2, TIMES, n)) < rate
    a[failed[0]], b[failed[1]] = np.inf, np.nan
    false = np.mean([compare(x, y, paired).p < 0.05 for x, y in zip(a, b, strict=True)])
    assert false < 0.05 + 4 * math.sqrt(0.05 * 0.95 / TIMES)


def test_failures_count_as_the_worst_scores():
    good = [3.0, 3.1, 2.9, 3.2, 3.0, 3.3]
    found = compare([math.inf] * 6, good, paired=False)
    assert found.p == pytest.approx(2 / math.comb(12, 6))
    assert (found.improvement, found.failed, found.by_ranks) == (0.0, (6, 0), True)
    assert math.isnan(found.ratio.value)
    assert compare([math.inf] * 6, good).p == pytest.approx(2 / 2**6)
    assert compare([math.inf] * 3, good[:3]).p == 0.25, "three pairs cannot reject"
    half = compare([math.inf, 4.0, 4.1], [3.0, math.inf, 3.1])
    assert half.ratio.n == 1
    assert half.p > 0.2


@pytest.mark.parametrize("n", [3, 5, 20])
def test_equivalence_is_claimed_wrongly_at_most_as_often_as_said(n):
    """At a ratio of just the margin it is claimed in 5 % of cases at most; with little spread and equal arms always."""
    a, b = lognormal(9, n, 0.1), 5 * 1.25 * np.exp(0.1 * np.random.default_rng(10).standard_normal((TIMES, n)))
    wrong = np.mean([equivalent(x, y, margin=0.25) < 0.05 for x, y in zip(a, b, strict=True)])
    assert wrong < 0.05 + 4 * math.sqrt(0.05 * 0.95 / TIMES)
    alike = lognormal(9, n, 0.01), lognormal(10, n, 0.01)
    right = np.mean([equivalent(x, y, 0.25) < 0.05 for x, y in zip(*alike, strict=True)])
    assert right > 0.99
    assert equivalent([1.0, math.inf, 1.0], [1.0, 1.0, 1.0], 0.25) == 1.0
    assert equivalent([1.0], [1.0], 0.25) == 1.0


def test_the_shares_of_the_variance_are_found():
    rng = np.random.default_rng(12)
    covered = 0
    for _ in range(500):
        scores = {"init": np.exp(0.3 * rng.standard_normal(20)), "order": np.exp(0.1 * rng.standard_normal(20))}
        together = np.exp(0.3 * rng.standard_normal(20) + 0.4 * rng.standard_normal(20))
        found = components(scores, together)
        covered += found["init"].low < 0.36 < found["init"].high
        assert found["init"].n == 20
    assert within(covered / 500, 0.95, times=500)
    assert math.isnan(components({"init": [1.0]}, [1.0, 2.0])["init"].value)


def test_holm_is_no_less_strict_than_it_says():
    assert holm({"a": 0.04, "b": 0.01, "c": 0.03}) == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    p = np.random.default_rng(11).random((TIMES, 5))
    false = np.mean([min(holm({str(i): x for i, x in enumerate(row)}).values()) < 0.05 for row in p])
    assert within(false, 1 - 0.99**5)


@pytest.mark.parametrize("values", [[], [0.0], [-1.0, 2.0], [[1.0]]])
def test_what_is_no_score_is_refused(values):
    with pytest.raises(ValueError, match="scores must be"):
        scores_of(values)
