"""`fit` and `resume` make a run from names and mappings. Many mistakes are found before torch is imported."""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan.base import cores
from gan.base.errors import DiskError, UserError, whole
from gan.base.imports import cheap_imports
from gan.base.notes import is_first_process
from gan.base.paths import absolute
from gan.runs.config import KEYS, Part, canonical, mapping, parts, read_config
from gan.runs.directory import CONFIG

MAY_CHANGE = ("trainer", "scalars", "image_grid", "evaluation", "watchdog", "checkpoints")  # on resuming
MAY_CHANGE_TOO = ("data.root", "threads")
# Exit codes. A signal n gives 128 + n.
CODES = {"finished": 0, "failed": 1, "mistake": UserError.code, "time": 3, "callback": 3, "disk": DiskError.code}
CODES |= {"diverged": 5, "watchdog": 6}
Section = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    directory: Path
    step: int
    is_global_zero: bool  # whether this is the first process, which prints for all
    state: str  # `finished`, `stopped` or `diverged`
    reason: str | None  # of a stop: `signal NAME`, `time`, `watchdog: SIGN` or `callback`
    code: int  # the exit code
    report: dict[str, Any] | None  # the last measurement on test images
    trained: bool = True  # False if the run had ended before
    copies: tuple["Outcome", ...] = ()  # of packed runs: how each ended; the other fields are those of the worst


def fit(
    config: str | Path | Sequence[str | Path] = (),
    *,
    model: str | Section | None = None,
    recipe: Section | None = None,
    seeds: Section | None = None,
    data: Section | None = None,
    trainer: Section | None = None,
    scalars: Section | None = None,
    image_grid: Section | None = None,
    evaluation: Section | None = None,
    watchdog: Section | None = None,
    checkpoints: Section | None = None,
    seed_everything: int | None = None,
    threads: int | None = None,
    run: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    alone: bool = False,
    copies: int | None = None,
    allow_import: Collection[str] = (),
) -> Outcome:
    """Train a new run: `gan.fit("mlp_gan", recipe={"prior": "uniform"}, trainer={"max_steps": 2000})`.

    This does the same as `gan fit` with flags of these names. Later configs win over earlier ones, key by key, and
    arguments win over all configs. A None in a section removes a key. Raises UserError, in one line, for a mistake.

    Args:
        config: files, or shipped configs by name.
        model: the variant's name, an importable path, or {class_path: …, recipe: …}.
        recipe: a diff of the variant's values, as {FIELD: VALUE}.
        seeds: seeds of init, order, noise or dropout. The default of each is the run's seed.
        data: name, root, source, split, and the data set's own parameters.
        trainer: arguments of Lightning's Trainer.
        scalars: every_n_steps.
        image_grid: every_n_steps, num_images.
        evaluation: every_n_steps, num_samples.
        watchdog: every_n_steps, stop.
        checkpoints: every_n_steps, milestones.
        seed_everything: the run's seed. The default is that of the configs, or 1.
        threads: CPU threads of each process. The default fits the machine and the networks.
        run: the directory. The default is that of the configs, or runs/<config>/<variant>/seed_<n>.
        overwrite: empty a used run directory first.
        resume: start the run, or go on with it if it has been started with this configuration, or, if it has ended,
            leave it as it is and return its end. So the same call may be repeated until the run is finished.
        alone: train in this process alone, whatever a launcher (torchrun, srun) has put into the environment.
        copies: train this many seeds, from the run's seed on, as one program, each as a run `seed_<n>` of its own. With
            `run` they are in that directory.
        allow_import: packages outside `gan` that a config file may name, beside code in the working directory.
    """
    if overwrite and resume:
        raise UserError("--overwrite empties the run that --resume goes on with; give one of them")
    given = {name: value for name, value in locals().items() if name in KEYS}
    if alone:
        given["trainer"] = _by_itself(trainer)
    sources = _sources(config, given, recipe)
    if copies is not None:
        whole(copies, "copies", least=2)
    _begin("gan fit", alone)
    with cheap_imports():
        from gan.runs.training import start
        from gan.runs.trust import trusted

    if copies is None:
        return start(trusted(sources, allow_import), overwrite, resume, alone)
    from gan.runs.packed import start_copies

    return start_copies(trusted(sources, allow_import), copies, overwrite, resume, alone)


def configuration(
    config: str | Path | Sequence[str | Path] = (),
    *,
    recipe: Section | None = None,
    allow_import: Collection[str] = (),
    **given: Any,
) -> dict[str, Any]:
    """Return what `fit` would write to the run's config.yaml: every value. Nothing is written here."""
    sources = _sources(config, given, recipe)
    with cheap_imports():
        from gan.runs.plan import plan
        from gan.runs.trust import trusted

    return plan(trusted(sources, allow_import)).tree


def _begin(command: str, alone: bool) -> None:
    """Say what is about to happen, unless it takes no time, and look at the machine meanwhile."""
    if "torch" not in sys.modules and (alone or is_first_process()):
        print(f"{command}: importing PyTorch and Lightning", file=sys.stderr, flush=True)
    cores.look()


def _by_itself(trainer: Section | None) -> dict[str, Any]:
    from gan.runs.world import by_itself

    return by_itself(trainer)


def _sources(config: str | Path | Sequence[str | Path], given: Mapping[str, Any], recipe: Section | None) -> list[Part]:
    found = parts(config, given)
    return found if recipe is None else [*found, Part("", canonical({"model": {"recipe": recipe}}, ""))]


def resume(
    run: str | Path | Sequence[str | Path],
    *,
    data: Section | None = None,
    trainer: Section | None = None,
    scalars: Section | None = None,
    image_grid: Section | None = None,
    evaluation: Section | None = None,
    watchdog: Section | None = None,
    checkpoints: Section | None = None,
    threads: int | None = None,
    allow_import: Collection[str] = (),
    other_world_size: bool = False,
    alone: bool = False,
) -> Outcome:
    """Go on with a run from its last checkpoint: `gan.resume("runs/…", trainer={"max_steps": 20_000})`.

    Several runs, which differ in their seeds alone, go on as one program, as copies do. Arguments are as in `fit`. Of
    `data` only the root may be given. Recipe, data set and seeds stay. `allow_import` names packages outside `gan` that
    the run's code may come from. With `other_world_size` another number of processes than before may go on. That, and
    another number of `threads`, is not bit for bit. Raises UserError, in one line, for a mistake.
    """
    given = {name: value for name, value in locals().items() if name in KEYS and name != "run" and value is not None}
    if alone:
        given["trainer"] = _by_itself(trainer)
    names = [run] if isinstance(run, str | Path) else list(run)
    directories = [absolute(name, "gan resume") for name in names]
    for directory in directories:
        if not (directory / CONFIG).is_file():
            raise UserError(f"{directory}: not a run (it has no {CONFIG}); give the directory of a gan fit")
    refuse_changes(f"data.{key}" for key in mapping(data, "data", "", "give --data.root=DIR"))
    change = Part("", canonical(given, ""))
    recorded = [_recorded(directory) for directory in directories]
    _begin("gan resume", alone)
    with cheap_imports():
        from gan.runs.training import go_on

    if len(directories) == 1:
        return go_on(directories[0], recorded[0], change, allow_import, other_world_size, alone)
    if other_world_size:
        raise UserError("--other-world-size is for one run; several go on together in one process")
    from gan.runs.packed import go_on_with_copies

    return go_on_with_copies(directories, recorded, change, allow_import, alone)


def _recorded(directory: Path) -> Part:
    """Return the configuration that a run wrote."""
    file = directory / CONFIG
    recorded = read_config(file)
    if recorded.format is None:
        raise UserError(f"{file}: not a run's configuration; restore the file that gan fit wrote")
    return replace(recorded, tree=recorded.tree | {"run": str(directory)})  # it may have been moved


def may_change(key: str) -> bool:
    """Return whether a key, such as `trainer.max_steps`, may change on resuming."""
    return key.split(".")[0] in MAY_CHANGE or key in MAY_CHANGE_TOO


def refuse_changes(keys: Iterable[str]) -> None:
    """Raise UserError for the first key that may not change on resuming, such as `model.recipe.prior`."""
    allowed = ", ".join([*(f"{section}.*" for section in MAY_CHANGE), *MAY_CHANGE_TOO])
    for key in keys:
        if not may_change(key):
            raise UserError(f"--{key} may not change on resuming, only {allowed}; start another run with gan fit")
