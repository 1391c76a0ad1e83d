"""The score of a run: one positive number, better when it is smaller."""

import math
from typing import Any

from gan.ablations.manifest import Arm, Manifest
from gan.runs.reader import Run
from gan.runs.rows import Row, ratio_scale

FAILED = ("failed", "diverged")


def score_of(run: Run, manifest: Manifest, arm: Arm | None = None) -> float:
    """Return what `measured` does; infinity, which is a failure, if the manifest's bounds say so."""
    score, bounds = measured(run, manifest, arm), manifest.failure
    rarest = (run.report or {}).get("min_class_share")
    missing = rarest is not None and rarest < bounds.get("class_share_below", 0)
    return math.inf if missing or score > bounds.get("fid_above", math.inf) else score


def measured(run: Run, manifest: Manifest, arm: Arm | None = None) -> float:
    """Return the score as the manifest takes it, for an arm that is read at a step at that one.

    Infinity for a run that crashed or diverged. NaN where there is no score yet, since the run is not finished, or
    since nothing was measured.
    """
    if arm is not None and arm.step is not None:
        score = _score(next((row for row in run.selection_rows if row["step"] == arm.step), None))
        if math.isnan(score) and run.state in FAILED:
            return math.inf
        return score
    if run.state in FAILED:
        return math.inf
    return _taken(run, manifest.score) if run.state == "finished" else math.nan


def held_out(run: Run) -> float:
    """Return the last score on held-out images. Infinity for a failure, and NaN for a run without one."""
    if run.state in FAILED:
        return math.inf
    return _score(run.selection_rows[-1] if run.selection_rows else None)


def _taken(run: Run, score: Any) -> float:
    if score == "final":
        return _score(run.report)
    if score == "best":
        return _score(run.best)
    if "mean_of_last" in score:
        last = [_score(row) for row in run.selection_rows[-score["mean_of_last"] :]]
        return _geometric_mean(last) if len(last) == score["mean_of_last"] else math.nan
    return _geometric_mean(_points(run, score["scalar"], score.get("where", {})))


def _score(row: Row | None) -> float:
    """Return a row's score, smaller when it is better. Without a finite one a generator has diverged."""
    if row is None:
        return math.nan
    value = ratio_scale(row)
    return math.inf if value is None else float(value)


def _points(run: Run, tag: str, where: dict[str, list[float]]) -> list[float]:
    """Return the values of a curve at the steps at which other curves are within their bounds."""
    curves = run.scalars()

    def holds(step: int) -> bool:
        return all(low <= curves.get(other, {}).get(step, math.nan) <= high for other, (low, high) in where.items())

    return [value for step, value in curves.get(tag, {}).items() if holds(step)]


def _geometric_mean(values: list[float]) -> float:
    if not values:
        return math.nan
    return math.exp(sum(map(math.log, values)) / len(values)) if min(values) > 0 else math.nan
