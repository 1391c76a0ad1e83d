"""A study: runs in arms, with their scores. Arms are a manifest's, or what differs among the runs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gan.ablations.bundle import SUFFIX, unpacked
from gan.ablations.claims import DONE, failure_of
from gan.ablations.design import FILE as MANIFEST
from gan.ablations.design import Arm, Manifest
from gan.ablations.places import place_of, sweep_runs
from gan.ablations.report.keys import BASE, changes, full_names, names_of_changes, naming, short, words_at
from gan.ablations.scores import measured, score_of
from gan.base.choices import nearest
from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.measure.protocol import Protocol
from gan.runs.reader import Run, find_runs
from gan.runs.rows import Row, score_name

Key = tuple[Any, ...]  # what pairs runs of two arms: their seed, and whatever else varies within the arms
UNDER_WAY = ("running", "stopped", "killed", "started")


@dataclass(frozen=True)
class Group:
    """An arm: its runs, and the scores of those that have one."""

    name: str
    runs: Mapping[Key, Run]
    scores: Mapping[Key, float]  # infinity for a failure
    planned: int  # runs that the manifest asks for; without a manifest those that there are
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)  # key -> the baseline's value, the arm's
    failures: Mapping[Key, str] = field(default_factory=dict)  # of which the sweep says so: killed, or never begun
    above: Mapping[Key, float] = field(default_factory=dict)  # scores of those that failed by the manifest's bounds

    @property
    def values(self) -> list[float]:
        """The scores, in the order of the seeds."""
        return list(self.scores.values())

    def states(self) -> dict[str, int]:
        """Return how many runs have no score, by the reason: `running`, `not started`, `not measured`."""
        found: dict[str, int] = {}
        for key in self.runs.keys() - self.scores.keys():
            state = self.runs[key].state
            state = state if state in UNDER_WAY else "not measured"
            found[state] = found.get(state, 0) + 1
        missing = self.planned - len(self.runs)
        return found | ({"not started": missing} if missing > 0 else {})

    def status(self, key: Key) -> str:
        """Return how a run stands, with the reason: `diverged at 80 (…)`, `failed (out of memory)`."""
        return f"failed ({self.failures[key]})" if key in self.failures else self.runs[key].status

    def ranked(self) -> list[tuple[Key, Run]]:
        """Return the runs that did not fail, from the best to the worst."""
        finite = [key for key, score in self.scores.items() if math.isfinite(score)]
        return [(key, self.runs[key]) for key in sorted(finite, key=lambda key: self.scores[key])]


@dataclass(frozen=True)
class Study:
    """Arms that answer one question."""

    name: str
    groups: Mapping[str, Group]
    baseline: str
    manifest: Manifest  # without one of a sweep, what it would say: the final score, no rules
    planned: bool  # whether there was a manifest before the runs
    protocol: Row | None  # a row that says how all scores were measured; None where they were not
    notes: Sequence[str] = ()

    @property
    def runs(self) -> list[Run]:
        """All runs, arm by arm."""
        return [run for group in self.groups.values() for run in group.runs.values()]

    @property
    def score_name(self) -> str:
        """The value of a row that counts, such as `fid`."""
        return (score_name(self.protocol) if self.protocol else None) or "fid"


@dataclass(frozen=True)
class Source:
    """A place with runs: a sweep, any directory, or a bundle."""

    name: str
    manifest: Manifest | None
    arms: Mapping[str, Mapping[int, Run]]  # without a manifest empty
    runs: Sequence[Run]


@contextmanager
def opened(paths: Sequence[str | Path]) -> Iterator[list[Source]]:
    """Give the sources at these paths. Bundles are unpacked until the exit."""
    with TemporaryDirectory(prefix="gan-report-") as folder:
        yield [_source(absolute(path, "RUNS"), Path(folder) / str(number)) for number, path in enumerate(paths)]


def _source(path: Path, folder: Path) -> Source:
    name = path.name
    if path.is_file() and path.suffix == SUFFIX:
        folder.mkdir()
        path = unpacked(path, folder)
    elif not path.is_dir():
        raise UserError(f"{path}: no such directory; give a sweep, a directory of runs, or a bundle ({SUFFIX})")
    if (path / MANIFEST).is_file():
        manifest, arms = sweep_runs(path)
        if manifest is None:
            raise UserError(f"{path}: its {MANIFEST} has gone meanwhile")
        every = {name: found | _never_begun(manifest, path, name, found) for name, found in arms.items()}
        return Source(name, manifest, every, [run for found in arms.values() for run in found.values()])
    if not (runs := find_runs(path)):
        raise UserError(f"{path}: holds no runs of gan fit; give a sweep, or another directory with runs in it")
    return Source(name, None, {}, runs)


def _never_begun(manifest: Manifest, sweep: Path, arm: str, begun: Mapping[int, Run]) -> dict[int, Run]:
    """Return the runs of an arm that failed before they recorded anything."""
    places = {seed: place_of(sweep, arm, "", seed) for seed in manifest.seeds if seed not in begun}
    return {seed: Run(place) for seed, place in places.items() if failure_of(place)}


def _failure(run: Run) -> str | None:
    """Return why the sweep says that a run failed, or None. What a run says of its end counts more."""
    if run.record and run.state in DONE:
        return None
    found = failure_of(run.directory) or failure_of(run.directory.parent)  # the latter of packed runs
    return str(found.get("reason")) if found else None


def study(sources: Sequence[Source], by: Sequence[str] = (), baseline: str | None = None) -> Study:
    """Return the runs of all sources in arms: by the values of keys, by the manifest, or by whatever differs.

    The first source's manifest counts. Arms of further sources stand beside its own, with the source's name before
    theirs. UserError for keys and a baseline that do not exist, and for rows that were not measured alike.
    """
    first = sources[0].manifest
    if by or first is None:
        arms, notes = _by_values([run for source in sources for run in source.runs], by)
        manifest = _unwritten(sources[0].name, first, arms, baseline)
    else:
        arms, notes, manifest = _by_manifest(sources), [], first
    baseline = baseline or manifest.baseline
    if baseline not in arms:
        raise UserError(f"--baseline: {baseline!r} is no arm; {nearest(baseline, arms)}")
    configs = {name: next((run.config for run in runs.values() if run.is_run), None) for name, runs in arms.items()}
    groups = {}
    for name, runs in arms.items():
        arm = manifest.arms.get(name)
        failures = {key: reason for key, run in runs.items() if (reason := _failure(run))}
        scored = {key: math.inf if key in failures else _score(run, manifest, arm) for key, run in runs.items()}
        bad = {
            key: measured(runs[key], manifest, arm)
            for key in scored.keys() - failures.keys()
            if scored[key] == math.inf
        }
        own, reference = configs[name], configs[baseline]
        groups[name] = Group(
            name,
            runs,
            {key: score for key, score in scored.items() if not math.isnan(score)},
            len(manifest.seeds) if arm and not by and first else len(runs),
            changes(reference, own) if own and reference else {},
            failures,
            {key: score for key, score in bad.items() if math.isfinite(score)},
        )
    planned = first is not None and not by
    return Study(manifest.name, groups, baseline, manifest, planned, _one_protocol(groups, manifest), notes)


def _score(run: Run, manifest: Manifest, arm: Arm | None) -> float:
    score = score_of(run, manifest, arm)
    if score <= 0:
        raise UserError(f"{run.directory}: its score is {score}, and a score is positive; look at its metrics.jsonl")
    return score


def _by_manifest(sources: Sequence[Source]) -> dict[str, dict[Key, Run]]:
    arms = {name: _by_seed(runs) for name, runs in sources[0].arms.items()}
    for number, source in enumerate(sources[1:], start=2):
        name = source.name if source.name not in {other.name for other in sources[: number - 1]} else f"#{number}"
        found = source.arms or {"runs": {run.seed: run for run in source.runs}}
        arms |= {f"{name}/{arm}": _by_seed(runs) for arm, runs in found.items()}
    return arms


def _by_seed(runs: Mapping[int, Run]) -> dict[Key, Run]:
    return {(seed,): runs[seed] for seed in sorted(runs)}


def _by_values(runs: Sequence[Run], by: Sequence[str]) -> tuple[dict[str, dict[Key, Run]], list[str]]:
    """Return the runs by the values of keys, or of all keys that differ. Notes say what else differs."""
    configs, notes = [run.config for run in runs], []
    keys, others = naming(configs, by)
    if by or len(keys) < 2:
        names = full_names(configs, keys)
    else:
        names, common = names_of_changes(configs, keys)
        notes = [f"An arm is named by what it changes of the most common values: {common}."]
    columns = {key: words_at(configs, key) for key in others}
    apart = {key for key, column in columns.items() if len({*zip(names, column, strict=True)}) == len(set(names))}
    within = [short(key) for key in others if key not in apart]
    notes += [f"Runs of one arm differ in {', '.join(within)}, too."] if within else []
    notes += [f"Runs of different arms differ in {', '.join(map(short, apart))}, too."] if apart else []
    rest = list(zip(*(columns[key] for key in others if key not in apart), strict=True)) or [()] * len(runs)
    arms: dict[str, dict[Key, Run]] = {name: {} for name in names}
    for run, name, other in sorted(zip(runs, names, rest, strict=True), key=lambda one: (one[0].seed, one[2])):
        arm, key = arms[name], (run.seed, *other)
        arm[key if key not in arm else (*key, str(run.directory))] = run
    return arms, notes


def _unwritten(name: str, base: Manifest | None, arms: Mapping[str, Any], baseline: str | None) -> Manifest:
    """Return what a manifest of these arms would say. Score and failure are those of a sweep's, if there is one."""
    manifest = Manifest(
        name=name,
        question="",
        base={},
        arms={arm: Arm({}) for arm in arms},
        baseline=baseline or (BASE if BASE in arms else next(iter(arms))),
        seeds=(1,),
        budgets={"full": 1},
        steps=1,
    )
    return replace(manifest, score=base.score, failure=base.failure) if base else manifest


def _one_protocol(groups: Mapping[str, Group], manifest: Manifest) -> Row | None:
    """Return a row that counts for a score. UserError, with the field that differs, if two were not measured alike."""
    first: dict[str, tuple[Row, Run]] = {}  # role -> a row, and its run
    for group in groups.values():
        for run in group.runs.values():
            for row in (*run.selection_rows, *([run.report] if run.report else [])):
                known, other = first.setdefault(row["role"], (row, run))
                if row.get("protocol") != known.get("protocol"):
                    raise UserError(_refusal(known, other, row, run))
    by_test = manifest.score == "final" and not any(arm.step for arm in manifest.arms.values())
    return first.get("report" if by_test else "selection", (None, None))[0]


def _refusal(a: Row, run: Run, b: Row, other: Run) -> str:
    """Return the line that says in which fields two rows of different protocols differ."""
    fields = [name for name in Protocol.__dataclass_fields__ if name != "noise_seed" and a.get(name) != b.get(name)]
    what = "; ".join(f"{name} is {a.get(name)!r} in the first, {b.get(name)!r} in the second" for name in fields)
    return (
        f"{run.directory} and {other.directory} were not measured alike ({what or 'their protocols differ'}); "
        "report them apart, or measure anew"
    )
