"""What a number of runs can show, before they are made and after."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from gan.ablations.statistics import LEVEL, compare, scores_of

POWER = 0.8


def smallest_effect(n: int, sigma: float, arms: int = 1, paired: bool = True, power: float = POWER) -> float:
    """Return the least ratio, above 1, that n runs an arm show with this power at a level of 5 %.

    `sigma` is the standard deviation of the log of a score: of pairs' differences if `paired`, else within an arm. With
    several `arms` against one baseline the level is divided by their number, as Holm divides it for the first of them.
    Infinity for one run.
    """
    if n < 2:
        return math.inf
    freedom, scale = (n - 1, 1 / math.sqrt(n)) if paired else (2 * n - 2, math.sqrt(2 / n))
    critical = stats.t.isf((1 - LEVEL) / 2 / arms, freedom)

    def lacks(shift: float) -> float:
        return float(stats.nct.sf(critical, freedom, shift)) - power  # the other tail adds nothing at such a power

    most = 1.0
    while lacks(most) < 0:
        most *= 2
    return math.exp(optimize.brentq(lacks, 0.0, most) * scale * sigma)


def runs_needed(ratio: float, sigma: float, arms: int = 1, paired: bool = True, most: int = 10_000) -> int | None:
    """Return how many runs an arm show a ratio with a power of 80 %. None if it is more than `most`."""
    effect = max(ratio, 1 / ratio)
    if effect <= 1 or not smallest_effect(most, sigma, arms, paired) <= effect:
        return None
    few, enough = 1, most  # the effect that can be shown falls with n
    while enough - few > 1:
        n = (few + enough) // 2
        few, enough = (few, n) if smallest_effect(n, sigma, arms, paired) <= effect else (n, enough)
    return enough


def runs_to_decide(
    arm: ArrayLike, baseline: ArrayLike, *, arms: int = 1, paired: bool = True, margin: float | None = None
) -> int | None:
    """Return how many runs an arm would show the ratio that was found, with a power of 80 %.

    With a margin they would show that the ratio is within it, or beyond it. None where that is more than 10,000, and
    where there are failures or too few runs to tell the spread.
    """
    a, b = scores_of(arm), scores_of(baseline)
    if min(len(a), len(b)) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    found = compare(a, b, paired)
    spread = np.log(a / b).std(ddof=1) if paired else np.sqrt((np.log(a).var(ddof=1) + np.log(b).var(ddof=1)) / 2)
    effect = abs(math.log(found.ratio.value))
    if margin is not None:
        effect = abs(math.log1p(margin) - effect)  # from the margin's bound
    return runs_needed(math.exp(effect), float(spread), arms, paired)
