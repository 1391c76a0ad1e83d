"""Verdicts: what a comparison says of a claim, by a rule that was fixed before the runs."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from gan.ablations.statistics import LEVEL, Comparison, compare, equivalent

EXPECTATIONS = ("lower", "higher", "alike")
SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"


@dataclass(frozen=True)
class Rule:
    """A claim about an arm and the baseline.

    `lower` and `higher` say that the arm has the lower or the higher scores. `alike` says that the ratio of the scores
    is between 1 / (1 + margin) and 1 + margin.
    """

    expect: str
    margin: float = 0.25

    def __post_init__(self) -> None:
        if self.expect not in EXPECTATIONS:
            raise ValueError(f"expect must be one of {', '.join(EXPECTATIONS)}, got {self.expect!r}")
        if not self.margin > 0:
            raise ValueError(f"the margin must be positive, got {self.margin!r}")


@dataclass(frozen=True)
class Verdict:
    """What the runs say of a claim, and on what ground."""

    verdict: str  # supported, refuted or undecided
    p: float  # of the test that decided, adjusted if several arms were compared
    comparison: Comparison


def judge(rule: Rule, arm: ArrayLike, baseline: ArrayLike, *, arms: int = 1, paired: bool = True) -> Verdict:
    """Judge a claim at a level of 5 %, shared among `arms` that are compared with the same baseline (Bonferroni).

    A direction is decided by the p value of `compare`, in which failures count as the worst scores. Arms are alike if
    both one-sided tests say so, and are not if the ratio's interval lies outside the margin.
    """
    found = compare(arm, baseline, paired, level=1 - (1 - LEVEL) / arms)
    p = min(1.0, found.p * arms)
    low, high = 1 / (1 + rule.margin), 1 + rule.margin
    if rule.expect == "alike":
        same = min(1.0, equivalent(arm, baseline, rule.margin, paired) * arms)
        if same < 1 - LEVEL:
            return Verdict(SUPPORTED, same, found)
        outside = found.ratio.high < low or found.ratio.low > high
        apart = p < 1 - LEVEL and (outside or found.by_ranks)
        return Verdict(REFUTED, p, found) if apart else Verdict(UNDECIDED, same, found)
    if p < 1 - LEVEL:
        better = found.improvement > 0.5 if found.by_ranks else found.ratio.value < 1
        return Verdict(SUPPORTED if better == (rule.expect == "lower") else REFUTED, p, found)
    return Verdict(UNDECIDED, p, found)
