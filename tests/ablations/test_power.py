"""What is said of the power of a design holds in simulations."""

import math

import numpy as np
import pytest

from gan.ablations.power import runs_needed, runs_to_decide, smallest_effect
from gan.ablations.statistics import compare, equivalent

TIMES = 1000


def test_the_power_is_the_predicted_one():
    for n, arms in ((3, 1), (5, 2), (20, 1)):
        effect = smallest_effect(n, 0.3, arms)
        a, b = (
            5.0 * np.exp(0.3 * np.random.default_rng(8).standard_normal((TIMES, n))),
            np.full((TIMES, n), 5.0 * effect),
        )
        shown = np.mean([compare(x, y).p < 0.05 / arms for x, y in zip(a, b, strict=True)])
        assert shown == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / TIMES))
    assert smallest_effect(1, 0.3) == math.inf
    assert smallest_effect(5, 0.3) < smallest_effect(5, 0.3, paired=False, arms=4)


def test_the_runs_that_are_needed_show_the_effect():
    n = runs_needed(1.3, 0.3)
    assert smallest_effect(n, 0.3) <= 1.3 < smallest_effect(n - 1, 0.3)
    assert runs_needed(1 / 1.3, 0.3) == n
    assert runs_needed(1.0, 0.3) is None
    assert runs_needed(1.0001, 0.3, most=50) is None


def test_how_many_runs_would_decide():
    arm, baseline = [3.0, 4.1, 2.2], [3.6, 4.0, 3.3]
    few = runs_to_decide(arm, baseline)
    assert 4 <= few <= 100
    assert runs_to_decide(arm, baseline, arms=5) > few
    assert runs_to_decide([math.inf] * 3, baseline) is None
    assert runs_to_decide([3.0], [6.0]) is None
    assert runs_to_decide(arm, arm) is None


def test_how_many_runs_would_show_that_arms_are_alike():
    draw = np.random.default_rng(3)
    arm, baseline = 5.0 * np.exp(0.15 * draw.standard_normal((2, 6)))
    n = runs_to_decide(arm, baseline, margin=0.5)
    ratio, spread = np.log(arm / baseline).mean(), np.log(arm / baseline).std(ddof=1)
    pairs = np.exp(ratio + spread * draw.standard_normal((TIMES, n)))
    shown = np.mean([equivalent(sample, np.ones(n), 0.5) < 0.05 for sample in pairs])
    assert shown > 0.8  # its level is that of one side, and the number is that of two
    assert runs_to_decide(arm, baseline, margin=0.2) > n
