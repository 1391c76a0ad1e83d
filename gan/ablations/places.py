"""Where the runs of a sweep are: `runs/NAME/ARM/seed_N`, with a grid inside the arm `runs/NAME/ARM/POINT/seed_N`."""

import math
from collections.abc import Mapping
from pathlib import Path

from gan.ablations.manifest import FILE, Manifest, read_manifest
from gan.ablations.scores import held_out
from gan.base.paths import absolute
from gan.runs.reader import Run, find_runs

Runs = dict[str, dict[int, Run]]  # arm -> seed -> run


def place_of(sweep: Path, arm: str, point: str, seed: int) -> Path:
    """Return the directory of a run."""
    return sweep / arm / point / f"seed_{seed}"


def sweep_runs(directory: str | Path) -> tuple[Manifest | None, Runs]:
    """Return the manifest of a sweep, and its runs as far as they were started.

    Of an arm with a grid, the runs of the best point on held-out images are returned. Arms that are read at several
    steps of the same runs have these runs each. A directory without a manifest has its runs below it as arms: a run's
    arm is the folder that it is in.
    """
    place = absolute(directory, "sweep")
    if not (place / FILE).is_file():
        return None, _without_manifest(place)
    manifest = read_manifest(place)
    return manifest, {name: _runs_of(manifest, place, name) for name in manifest.arms}


def read_from(manifest: Manifest, name: str) -> str:
    """Return the arm whose directory holds the runs of an arm: the first one that changes the same."""
    arm = manifest.arms[name]
    return next(n for n, a in manifest.arms.items() if (a.overrides, a.grid) == (arm.overrides, arm.grid))


def _runs_of(manifest: Manifest, place: Path, name: str) -> dict[int, Run]:
    where, points = read_from(manifest, name), manifest.arms[name].points
    runs = {
        point: {seed: Run(run) for seed in manifest.seeds if (run := place_of(place, where, point, seed)).is_dir()}
        for point in points
    }
    runs = {point: {seed: run for seed, run in found.items() if run.record} for point, found in runs.items()}
    return min(runs.values(), key=_on_held_out_images) if len(runs) > 1 else next(iter(runs.values()))


def _on_held_out_images(runs: Mapping[int, Run]) -> tuple[float, float]:
    """Return what orders points: the share of runs that have no score, then the mean log of the others' last FIDs."""
    scores = [held_out(run) for run in runs.values()]
    finite = [math.log(score) for score in scores if math.isfinite(score)]
    if not finite:
        return 1.0, math.inf
    return 1 - len(finite) / len(scores), sum(finite) / len(finite)


def _without_manifest(place: Path) -> Runs:
    found: Runs = {}
    for run in find_runs(place):
        arm = str(run.directory.parent.relative_to(place)) if run.directory != place else run.directory.name
        found.setdefault(arm, {})[run.seed] = run
    return found
