"""Learning curves of arms: single runs, and their mean with a band, on one axis."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gan.ablations.report.study import Group, Key, Study
from gan.ablations.statistics import LEVEL
from gan.runs.reader import Run
from gan.runs.rows import score_of, title_of

Numbers = NDArray[np.floating]
# Axis -> its label. `images` are real ones, as each update of D sees them; `seconds` are of training, without pauses.
AXES = {"images": "images seen", "steps": "generator updates", "seconds": "training time (s)"}
SPEED, IMAGES = "throughput/steps_per_second", "images_seen"
MOST_POINTS = 400  # of an arm's mean


@dataclass(frozen=True)
class Curve:
    """What was measured along a run."""

    x: Numbers
    y: Numbers
    failed: bool  # the run failed, so that it is not in the mean


@dataclass(frozen=True)
class Band:
    """The mean of an arm's runs, as far as all of them have come, and the t interval of the mean."""

    x: Numbers
    mean: Numbers
    low: Numbers  # NaN for one run
    high: Numbers
    runs: int


@dataclass(frozen=True)
class Curves:
    """The curves of one measure."""

    label: str  # of the y axis
    logarithmic: bool
    singles: Mapping[str, Mapping[Key, Curve]]  # arm -> its runs
    bands: Mapping[str, Band]
    floor: float | None = None  # what real images get


def score_curves(found: Study, axis: str) -> Curves:
    """Return the scores on held-out images."""
    groups, name = found.groups, found.score_name
    rows = [row for group in groups.values() for run in group.runs.values() for row in run.selection_rows]
    floors = {row[f"{name}_floor"] for row in rows if isinstance(row.get(f"{name}_floor"), float)}

    def points(run: Run) -> dict[int, float]:
        scores = {row["step"]: score_of(row) for row in run.selection_rows}
        return {step: score for step, score in scores.items() if score is not None}

    singles = {arm: _singles(group, points, axis) for arm, group in groups.items()}
    return _curves(f"{title_of(name)} on held-out images", singles, min(floors) if floors else None)


def scalar_curves(groups: Mapping[str, Group], tags: Sequence[str], axis: str) -> dict[str, Curves]:
    """Return the curves of tags in the event files, such as `loss/generator`. Each file is read once."""
    read: dict[Path, dict[str, dict[int, float]]] = {}

    def points(run: Run, tag: str) -> dict[int, float]:
        if run.directory not in read:
            read[run.directory] = run.scalars(tags)
        return read[run.directory].get(tag, {})

    return {
        tag: _curves(
            tag, {name: _singles(group, partial(points, tag=tag), axis) for name, group in groups.items()}, None
        )
        for tag in tags
    }


def _curves(label: str, singles: dict[str, dict[Key, Curve]], floor: float | None) -> Curves:
    """Return curves with their bands. Values that are positive throughout are averaged on the logarithms."""
    logarithmic = all((curve.y > 0).all() for runs in singles.values() for curve in runs.values())
    bands = {name: band(list(runs.values()), logarithmic) for name, runs in singles.items()}
    return Curves(label, logarithmic, singles, {name: found for name, found in bands.items() if found}, floor)


def _singles(group: Group, points: Any, axis: str) -> dict[Key, Curve]:
    found = {}
    for key, run in group.runs.items():
        values = {step: value for step, value in points(run).items() if math.isfinite(value)}
        if axis != "steps":
            places = _places(run, axis)
            values = {step: value for step, value in values.items() if places and step <= max(places)}
        if values:
            steps = np.array(list(values), dtype=float)
            x = steps if axis == "steps" else np.interp(steps, [0.0, *places], [0.0, *places.values()])
            found[key] = Curve(x, np.array(list(values.values())), math.isinf(group.scores.get(key, math.nan)))
    return found


def _places(run: Run, axis: str) -> dict[int, float]:
    """Return step -> images or seconds, as far as the run says. Seconds are those of its speed, pauses left out."""
    rows = {row["step"]: row["images_seen"] for row in run.rows if isinstance(row.get("images_seen"), int)}
    if axis == "images" and rows:
        return dict(sorted(rows.items()))
    curves = run.scalars([SPEED, IMAGES])
    if axis == "images":
        return curves.get(IMAGES, {})
    speeds, seconds, places = curves.get(SPEED, {}), 0.0, {}
    for before, step in pairwise([0, *speeds]):
        seconds += (step - before) / speeds[step]
        places[step] = seconds
    return places


def band(curves: list[Curve], logarithmic: bool) -> Band | None:
    """Return the mean of the runs that did not fail, from where all of them begin to where all of them are.

    Where runs were measured at different places, their values between are interpolated.
    """
    alive = [curve for curve in curves if not curve.failed]
    if not alive:
        return None
    first, last = max(curve.x[0] for curve in alive), min(curve.x[-1] for curve in alive)
    x = np.unique(np.concatenate([curve.x for curve in alive]))
    x = x[(x >= first) & (x <= last)]
    if not len(x):
        return None
    if len(x) > MOST_POINTS:
        x = x[np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int)]
    values = np.stack([np.interp(x, curve.x, np.log(curve.y) if logarithmic else curve.y) for curve in alive])
    mean, n = values.mean(axis=0), len(alive)
    reach = np.full_like(mean, np.nan)
    if n > 1:
        reach = float(stats.t.isf((1 - LEVEL) / 2, n - 1)) * values.std(axis=0, ddof=1) / math.sqrt(n)
    low, high = mean - reach, mean + reach
    if logarithmic:
        mean, low, high = np.exp(mean), np.exp(low), np.exp(high)
    return Band(x, mean, low, high, n)
