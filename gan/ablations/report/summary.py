"""What the statistics say of each arm, as numbers and as words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan.ablations.power import runs_to_decide
from gan.ablations.report.study import Group, Key, Study
from gan.ablations.statistics import Comparison, Interval, compare, failures, holm, typical
from gan.ablations.verdict import UNDECIDED, Verdict, judge

SHOWN = 10  # values of an arm that a table shows; of more runs it shows the lowest and the highest
NONE = "–"


@dataclass(frozen=True)
class Line:
    """An arm in the table."""

    group: Group
    typical: Interval | None  # None without a score
    failures: Interval | None
    comparison: Comparison | None  # with the baseline; None for it, and where there is nothing to compare
    p: float | None  # adjusted for the number of arms (Holm)
    verdict: Verdict | None  # None without a rule
    needed: int | None  # runs an arm that would decide an undecided claim


def summary(study: Study) -> list[Line]:
    """Return a line for each arm, in the study's order."""
    reference = study.groups[study.baseline]
    pairs = {name: _pairs(group, reference) for name, group in study.groups.items() if name != study.baseline}
    compared = {name: compare(a, b, paired) for name, (a, b, paired) in pairs.items() if a and b}
    adjusted = holm({name: found.p for name, found in compared.items()})
    lines = []
    for name, group in study.groups.items():
        values, rule = group.values, study.manifest.rules.get(name)
        verdict, needed = None, None
        if rule and name in compared:
            a, b, paired = pairs[name]
            claims = len(study.manifest.rules)
            verdict = judge(rule, a, b, arms=claims, paired=paired)
            if verdict.verdict == UNDECIDED:
                margin = rule.margin if rule.expect == "alike" else None
                needed = runs_to_decide(a, b, arms=claims, paired=paired, margin=margin)
        lines.append(
            Line(
                group,
                typical(values) if values else None,
                failures(values) if values else None,
                compared.get(name),
                adjusted.get(name),
                verdict,
                needed,
            )
        )
    return lines


def _pairs(group: Group, reference: Group) -> tuple[list[float], list[float], bool]:
    """Return the scores of an arm and of the baseline: in pairs where keys are common, else all, not paired."""
    common: list[Key] = [key for key in group.scores if key in reference.scores]
    if common:
        return [group.scores[key] for key in common], [reference.scores[key] for key in common], True
    return group.values, reference.values, False


# Words ---


def number(value: float) -> str:
    """Return three significant digits, without an exponent: `0.0512`, `4.21`, `76.7`, `1,230`."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "failed"
    if value == 0 or not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def between(interval: Interval | None, form: Any = number) -> str:
    """Return an estimate with its bounds: `4.21 [3.90, 4.55]`."""
    if interval is None or math.isnan(interval.value):
        return NONE
    bounds = "" if math.isnan(interval.low) else f" [{form(interval.low)}, {form(interval.high)}]"
    return form(interval.value) + bounds


def share(value: float) -> str:
    """Return a share in per cent: `20 %`."""
    return f"{value:.0%}".replace("%", " %")


def probability(p: float | None) -> str:
    """Return a p value: `0.034`, `< 0.001`."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def values(group: Group) -> str:
    """Return every value, in the order of the seeds. Of many, the lowest and the highest of those that are finite.

    A score above the manifest's bound is told: `failed (385)`.
    """
    finite = [score for score in group.values if math.isfinite(score)]
    if len(group.values) <= SHOWN or not finite:
        above = {key: f" ({number(score)})" for key, score in group.above.items()}
        return ", ".join(number(score) + above.get(key, "") for key, score in group.scores.items()) or NONE
    return f"{number(min(finite))} … {number(max(finite))}"


def words(line: Line, study: Study) -> dict[str, str]:
    """Return column -> what the table says of an arm."""
    group, found, several = line.group, line.comparison, len(study.groups) > 1
    states = ", ".join(f"{count} {state}" for state, count in group.states().items())
    failed = sum(map(math.isinf, group.values))
    rate = line.failures
    cells = {
        "arm": group.name + (" (baseline)" if several and group.name == study.baseline else ""),
        "n": f"{len(group.scores)}" + (f" of {len(group.scores) + _sum(group.states())} ({states})" if states else ""),
        "failed": NONE if rate is None else f"{failed} [{share(rate.low)}, {share(rate.high)}]",
        "typical score": between(line.typical),
        "scores": values(group),
    }
    if several:
        cells["ratio to the baseline"] = NONE if found is None else between(found.ratio)
        cells["p (Holm)"] = probability(line.p)
        cells["P(better)"] = NONE if found is None else share(found.improvement)
    if study.manifest.rules:
        cells["verdict"] = verdict(line, study)
    return cells


def verdict(line: Line, study: Study) -> str:
    """Return the verdict on an arm's claim, and what would decide an undecided one."""
    rule = study.manifest.rules.get(line.group.name)
    if rule is None:
        return NONE
    claim = rule.expect
    if claim == "alike":
        claim += f" (ratio {number(1 / (1 + rule.margin))} to {number(1 + rule.margin)})"
    if line.verdict is None:
        return f"{claim}: not run"
    if line.verdict.verdict != UNDECIDED:
        return f"{claim}: {line.verdict.verdict}"
    if line.needed is None or line.needed <= len(line.group.scores):
        return f"{claim}: undecided at this budget"
    return f"{claim}: undecided at this budget; {line.needed:,} runs an arm would decide it, were this the ratio"


def _sum(states: Mapping[str, int]) -> int:
    return sum(states.values())


def records(lines: Sequence[Line], study: Study) -> list[dict[str, Any]]:
    """Return the numbers of the table, unrounded, one record an arm, for table.csv."""
    rows = []
    for line in lines:
        group, found, rule = line.group, line.comparison, study.manifest.rules.get(line.group.name)
        ratio = found.ratio if found else None
        rows.append(
            {
                "arm": group.name,
                "baseline": group.name == study.baseline,
                "n": len(group.scores),
                "without_score": _sum(group.states()),
                "failed": sum(map(math.isinf, group.values)),
                **_columns("failure_rate", line.failures),
                **_columns("typical", line.typical),
                **_columns("ratio", ratio),
                "pairs": found.ratio.n if found and found.paired else None,
                "p": found.p if found else None,
                "p_holm": line.p,
                "probability_better": found.improvement if found else None,
                "claim": rule.expect if rule else None,
                "margin": rule.margin if rule and rule.expect == "alike" else None,
                "verdict": line.verdict.verdict if line.verdict else None,
                "verdict_p": line.verdict.p if line.verdict else None,
                "runs_needed": line.needed,
                "scores": " ".join("failed" if math.isinf(score) else repr(score) for score in group.values),
            }
        )
    return rows


def _columns(name: str, interval: Interval | None) -> dict[str, float | None]:
    """Return the three numbers of an interval as columns. None for what is not a number."""
    numbers = (interval.value, interval.low, interval.high) if interval else (math.nan,) * 3
    columns = zip((name, f"{name}_low", f"{name}_high"), numbers, strict=True)
    return {column: None if math.isnan(value) else value for column, value in columns}
