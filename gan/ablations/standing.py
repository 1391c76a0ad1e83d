"""How a sweep stands: each of its runs by what its directory says. No configuration is read, so that it is quick."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gan.ablations.claims import WAITING, failure_of
from gan.ablations.design import Manifest
from gan.ablations.places import place_of, read_from
from gan.base.errors import UserError
from gan.runs.reader import Run

STATES = ("finished", "running", "stopped", "killed", "failed", "diverged", WAITING)


@dataclass(frozen=True)
class Standing:
    """How a run of a sweep stands."""

    run: str  # its place in the sweep's directory
    arm: str
    state: str  # one of STATES, or `unreadable`
    step: int | None = None
    note: str = ""  # why it stopped or failed, or the phase that it is in


def standings(manifest: Manifest, place: Path) -> list[Standing]:
    """Return how each run stands, in the order of arms, points and seeds."""
    found = []
    for name, arm in manifest.arms.items():
        if read_from(manifest, name) == name:
            found += [_standing(place, name, point, seed) for point in arm.points for seed in manifest.seeds]
    return found


def counts(found: list[Standing]) -> dict[str, Counter[str]]:
    """Return arm -> state -> number of runs."""
    every: dict[str, Counter[str]] = {}
    for standing in found:
        every.setdefault(standing.arm, Counter())[standing.state] += 1
    return every


def _standing(place: Path, arm: str, point: str, seed: int) -> Standing:
    directory = place_of(place, arm, point, seed)
    name, run = str(directory.relative_to(place)), Run(directory)
    failure = failure_of(directory) or failure_of(directory.parent)  # the latter of packed runs
    try:
        if run.record is None:
            note = str(failure["reason"]) if failure else ""
            return Standing(name, arm, "failed" if failure else WAITING, None, note)
        state, record = run.state, run.record
    except UserError as error:
        return Standing(name, arm, "unreadable", None, str(error))
    if failure and state not in ("finished", "diverged", "running"):
        return Standing(name, arm, "failed", record.step, str(failure["reason"]))
    note = record.phase if state == "running" and record.phase != "training" else record.reason or ""
    return Standing(name, arm, state, record.step, note)
