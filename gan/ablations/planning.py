"""Plans a sweep: every arm's recipe, networks and data are built, and each run gets its place and its digest."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gan.ablations.design import Manifest
from gan.ablations.places import place_of, read_from
from gan.base.errors import UserError
from gan.base.imports import cheap_imports
from gan.runs.config import KEYS, Part, canonical, laid_over, parts
from gan.runs.differences import OWN

CLAIMS = ".made"  # beside the sweeps: who makes a run, and where it is
NOT_CONTENT = (*OWN, "threads", "checkpoints")  # keys of a configuration that do not say what a run's rows will be


@dataclass(frozen=True)
class Task:
    """A run that is to be made, or the runs of several seeds as one program."""

    name: str  # ARM/seed_N, ARM/POINT/seed_N, or without the seed if packed
    arm: str
    seeds: tuple[int, ...]  # one, or those that are packed
    directory: Path  # of the run, or of packed runs
    config: tuple[str, ...]  # files, or shipped configs by name
    given: dict[str, Any]  # the other arguments of `gan.fit`
    claim: Path  # the directory of what all sweeps know of this run; its name is the run's digest
    keep: str
    folder: str  # the working directory that relative paths count from
    tree: dict[str, Any]  # the configuration that these make, but for seed and place
    allow_import: tuple[str, ...] = ()

    @property
    def packed(self) -> bool:
        """Whether several seeds are one program."""
        return len(self.seeds) > 1

    @property
    def runs(self) -> list[Path]:
        """The directories of its runs."""
        return [self.directory / f"seed_{seed}" for seed in self.seeds] if self.packed else [self.directory]

    @property
    def steps(self) -> int:
        """The generator updates of each run."""
        return self.given["trainer"]["max_steps"]

    @property
    def on_cpu(self) -> bool:
        """Whether its trainer wants no GPU."""
        return self.tree["trainer"]["accelerator"] == "cpu"

    @property
    def log(self) -> Path:
        """The file with what its process printed."""
        return self.directory.parent / f"{self.directory.name}.log"


class _Point(NamedTuple):
    """An arm, or a point of its grid, with what it resolves to."""

    arm: str
    name: str
    overrides: dict[str, Any]
    tree: dict[str, Any]  # the configuration with the default seed
    images: str  # their digest


def tasks_of(manifest: Manifest, place: Path, packed: bool = False, allow_import: Collection[str] = ()) -> list[Task]:
    """Return the runs of a sweep in a directory: all arms with the first seed, then with the second one, and so on.

    Every arm is built. UserError, with file and line, for the first that cannot be, and for two that are equal.
    """
    with cheap_imports():
        from gan.ablations.building import Builder
        from gan.runs.process import as_in_a_process_of_its_own

    builder, points = Builder(allow_import), []
    with as_in_a_process_of_its_own(alone=True):
        for name, arm in manifest.arms.items():
            for point, overrides in arm.points.items():
                points.append(_Point(name, point, overrides, *_checked(manifest, name, overrides, builder)))
    _refuse_equal(manifest, points)
    for built in points:
        _refuse_no_score(manifest, built)
    own = [point for point in points if read_from(manifest, point.arm) == point.arm]
    return [_task(manifest, place, point, s, tuple(allow_import)) for s in _seeds(manifest, packed) for point in own]


def given_of(manifest: Manifest, overrides: Mapping[str, Any], updates: int | None = None) -> dict[str, Any]:
    """Return the arguments of `gan.fit` beside `config`, but for seed and place. `updates`: None for the manifest's."""
    updates = manifest.steps if updates is None else updates
    tree = {key: value for key, value in manifest.base.items() if key != "config"}
    given = canonical(tree, "base")
    for key, value in overrides.items():
        given = laid_over(given, canonical(_nested(key, value), ""))
    given = laid_over(given, {"trainer": {"max_steps": updates}})
    if manifest.keep == "generator":
        kept = {*(given.get("checkpoints", {}).get("milestones") or ()), updates}
        given = laid_over(given, {"checkpoints": {"milestones": sorted(kept)}})
    return given


def _nested(key: str, value: Any) -> dict[str, Any]:
    """Return {a: {b: value}} for the key `a.b` of `gan fit`, and {model: {recipe: …}} for a field of the recipe."""
    path = key.split(".")
    for part in reversed(path if path[0] in KEYS else ["model", "recipe", *path]):
        value = {part: value}
    return value


def _checked(manifest: Manifest, name: str, overrides: Mapping[str, Any], builder: Any) -> tuple[dict[str, Any], str]:
    """Return an arm's configuration and its images' digest. UserError names file, line and arm."""
    for key in overrides:
        if key.split(".")[0] in ("run", "seed_everything", "threads") or key == "trainer.max_steps":
            raise _at(manifest, name, overrides, f"{key} is no part of an arm: the sweep gives it")
    try:
        return _built(manifest, overrides, builder)
    except UserError as error:
        if str(error) == _error_of(manifest, {}, builder):
            raise manifest.origin.error(("base",), f"base: {_bare(manifest, error)}") from None
        raise _at(manifest, name, overrides, _bare(manifest, error)) from None


def _error_of(manifest: Manifest, overrides: Mapping[str, Any], builder: Any) -> str | None:
    try:
        _built(manifest, overrides, builder)
    except UserError as error:
        return str(error)
    return None


def _built(manifest: Manifest, overrides: Mapping[str, Any], builder: Any) -> tuple[dict[str, Any], str]:
    where = manifest.origin.file
    sources = parts(manifest.configs, {})[:-1]
    tree, images = builder.built([*sources, Part(where, given_of(manifest, overrides), name=manifest.name)])
    if manifest.budget_in == "images":
        recipe = tree["model"]["init_args"]["recipe"]
        updates = max(1, manifest.steps // (recipe["batch_size"] * recipe["d_steps"]))
        given = given_of(manifest, overrides, updates)
        tree, images = builder.built([*sources, Part(where, given, name=manifest.name)])
    return tree, images


def _bare(manifest: Manifest, error: UserError) -> str:
    return str(error).removeprefix(f"{manifest.origin.file}: ")


def _at(manifest: Manifest, name: str, overrides: Mapping[str, Any], message: str) -> UserError:
    """Return an error at the line of the key that it is about, as far as its words tell, or at that of the arm."""
    keys = [key for key in overrides if any(word in message for word in (key, key.rpartition(".")[2]))]
    for key in keys:
        for where in (("arms", name, key), ("arms", name, "grid", key), ("grid", key), ("random", "fields", key)):
            if where in manifest.origin.lines:
                return manifest.origin.error(where, f"arm {name!r}: {message}")
    return manifest.origin.error(("arms", name), f"arm {name!r}: {message}")


def _refuse_equal(manifest: Manifest, points: Sequence[_Point]) -> None:
    """Raise UserError if two arms, or two points of one, have the same configuration and are read at the same step."""
    known: dict[str, str] = {}
    for point in points:
        tree = {key: value for key, value in point.tree.items() if key not in OWN}
        content = json.dumps([tree, manifest.arms[point.arm].step], sort_keys=True)
        here = f"{point.arm}/{point.name}" if point.name else point.arm
        if content in known:
            where = ("arms", point.arm)
            raise manifest.origin.error(where, f"arms {known[content]!r} and {here!r} are equal; remove one of them")
        known[content] = here


def _refuse_no_score(manifest: Manifest, point: _Point) -> None:
    """Raise UserError for an arm whose runs will not be measured where the manifest reads their score."""
    step, every = manifest.arms[point.arm].step, point.tree["evaluation"]["every_n_steps"]
    updates = point.tree["trainer"]["max_steps"]
    if step is not None and (step > updates or not every or step % every):
        where = f"of at most {updates}, of evaluation.every_n_steps {every}" if every else "evaluation is off"
        raise manifest.origin.error(
            ("arms", point.arm, "step"),
            f"arm {point.arm!r}: at step {step} nothing is measured; give a multiple, {where}",
        )
    last = manifest.score.get("mean_of_last", 0) if isinstance(manifest.score, dict) else 0
    if last > (updates // every if every else 0):
        raise manifest.origin.error(("score",), f"score: arm {point.arm!r} has fewer than {last} measurements")


def _seeds(manifest: Manifest, packed: bool) -> Iterator[tuple[int, ...]]:
    """Yield the seeds of each task."""
    seeds = manifest.seeds
    if not packed or len(seeds) == 1:
        yield from ((seed,) for seed in seeds)
    elif seeds == tuple(range(seeds[0], seeds[0] + len(seeds))):
        yield seeds
    else:
        raise manifest.origin.error(("seeds",), f"packed seeds follow one another, as in 1-5; got {list(seeds)}")


def _task(
    manifest: Manifest, place: Path, point: _Point, seeds: tuple[int, ...], allow_import: tuple[str, ...]
) -> Task:
    directory = place_of(place, point.arm, point.name, seeds[0])
    data = {key: value for key, value in point.tree["data"].items() if key not in ("root", "source")}
    content = {**{key: value for key, value in point.tree.items() if key not in NOT_CONTENT}, "data": data}
    content |= {"images": point.images, "keep": manifest.keep, "seed_everything": seeds}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    given = {**given_of(manifest, point.overrides, point.tree["trainer"]["max_steps"]), "seed_everything": seeds[0]}
    if len(seeds) > 1:
        directory, given["copies"] = directory.parent, len(seeds)
    return Task(
        name=str(directory.relative_to(place)),
        arm=point.arm,
        seeds=seeds,
        directory=directory,
        config=manifest.configs,
        given=given,
        claim=place.parent / CLAIMS / digest,
        keep=manifest.keep,
        folder=str(Path.cwd()),
        tree=point.tree,
        allow_import=allow_import,
    )
