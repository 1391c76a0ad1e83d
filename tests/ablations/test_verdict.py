"""Verdicts follow their rule, and are wrong at most as often as they say."""

import math

import numpy as np
import pytest

from gan.ablations.verdict import REFUTED, SUPPORTED, UNDECIDED, Rule, judge

GOOD, POOR = [3.0, 3.2, 2.9, 3.1, 3.05], [6.1, 6.0, 6.6, 5.9, 6.2]
FAILED = [math.inf] * 6


@pytest.mark.parametrize(
    ("expect", "arm", "baseline", "verdict"),
    [
        ("lower", GOOD, POOR, SUPPORTED),
        ("higher", GOOD, POOR, REFUTED),
        ("higher", POOR, GOOD, SUPPORTED),
        ("lower", POOR, GOOD, REFUTED),
        ("alike", GOOD, POOR, REFUTED),
        ("alike", GOOD, [*GOOD[1:], GOOD[0]], SUPPORTED),
        ("lower", GOOD, [*GOOD[1:], GOOD[0]], UNDECIDED),
        ("alike", [1.0, 9.0, 3.0], [3.0, 1.0, 9.0], UNDECIDED),
        ("lower", [*GOOD, 3.0], FAILED, SUPPORTED),
        ("lower", FAILED, [*GOOD, 3.0], REFUTED),
        ("alike", FAILED, [*GOOD, 3.0], REFUTED),
        ("lower", FAILED[:3], GOOD[:3], UNDECIDED),
        ("alike", FAILED, FAILED, UNDECIDED),
        ("lower", [3.0], [6.0], UNDECIDED),
    ],
)
def test_a_verdict_follows_its_rule(expect, arm, baseline, verdict):
    assert judge(Rule(expect), arm, baseline).verdict == verdict


@pytest.mark.parametrize("n", [3, 5, 20])
@pytest.mark.parametrize("rate", [0.0, 0.2])
@pytest.mark.parametrize("arms", [1, 4])
def test_false_verdicts_are_at_most_nominal(n, rate, arms):
    """In a family of arms that are all like the baseline: one verdict of a difference in twenty families."""
    rng, times = np.random.default_rng(n), 400
    scores = np.exp(0.3 * rng.standard_normal((times, arms + 1, n)))
    scores[rng.random(scores.shape) < rate] = np.inf
    false = 0
    for baseline, *others in scores:
        found = [judge(Rule("lower"), arm, baseline, arms=arms).verdict for arm in others]
        false += any(verdict != UNDECIDED for verdict in found)
    assert false / times < 0.05 + 4 * math.sqrt(0.05 * 0.95 / times)


@pytest.mark.parametrize("values", [{"expect": "better"}, {"expect": "alike", "margin": 0.0}])
def test_a_rule_that_says_nothing_is_refused(values):
    with pytest.raises(ValueError, match="must be"):
        Rule(**values)
