"""`fit` and `resume` make a run from names and mappings. Many mistakes are found before torch is imported."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.runs.config import KEYS, Part, canonical, mapping, parts, read_config
from gan.runs.directory import CONFIG

MAY_CHANGE = ("trainer", "scalars", "image_grid", "evaluation", "checkpoints")  # on resuming; so may data.root
Section = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    directory: Path
    step: int
    is_global_zero: bool  # whether this is the first process, which prints for all
    signal: int | None  # the signal that stopped it, if one did
    report: dict[str, Any] | None  # the last measurement on test images


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
    checkpoints: Section | None = None,
    seed_everything: int | None = None,
    run: str | Path | None = None,
    overwrite: bool = False,
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
        checkpoints: every_n_steps, milestones.
        seed_everything: the run's seed. The default is that of the configs, or 1.
        run: the directory. The default is that of the configs, or runs/<config>/<variant>/seed_<n>.
        overwrite: empty a used run directory first.
        allow_import: packages outside `gan` that a config file may name, beside code in the working directory.
    """
    given = {name: value for name, value in locals().items() if name in KEYS}
    sources = _sources(config, given, recipe)
    from gan.runs.training import start  # torch takes seconds to import
    from gan.runs.trust import trusted

    return start(trusted(sources, allow_import), overwrite)


def configuration(
    config: str | Path | Sequence[str | Path] = (),
    *,
    recipe: Section | None = None,
    allow_import: Collection[str] = (),
    **given: Any,
) -> dict[str, Any]:
    """Return what `fit` would write to the run's config.yaml: every value. Nothing is written here."""
    sources = _sources(config, given, recipe)
    from gan.runs.plan import plan
    from gan.runs.trust import trusted

    return plan(trusted(sources, allow_import)).tree


def _sources(config: str | Path | Sequence[str | Path], given: Mapping[str, Any], recipe: Section | None) -> list[Part]:
    found = parts(config, given)
    return found if recipe is None else [*found, Part("", canonical({"model": {"recipe": recipe}}, ""))]


def resume(
    run: str | Path,
    *,
    data: Section | None = None,
    trainer: Section | None = None,
    scalars: Section | None = None,
    image_grid: Section | None = None,
    evaluation: Section | None = None,
    checkpoints: Section | None = None,
    allow_import: Collection[str] = (),
) -> Outcome:
    """Go on with a run from its last checkpoint: `gan.resume("runs/…", trainer={"max_steps": 20_000})`.

    Arguments are as in `fit`. Of `data` only the root may be given. Recipe, data set and seeds stay. `allow_import`
    names packages outside `gan` that the run's code may come from. Raises UserError, in one line, for a mistake.
    """
    given = {name: value for name, value in locals().items() if name in KEYS and name != "run" and value is not None}
    directory = absolute(run, "gan resume")
    file = directory / CONFIG
    if not file.is_file():
        raise UserError(f"{directory}: not a run (it has no {CONFIG}); give the directory of a gan fit")
    refuse_changes(f"data.{key}" for key in mapping(data, "data", "", "give --data.root=DIR"))
    change = Part("", canonical(given, ""))
    recorded = read_config(file)
    if recorded.format is None:
        raise UserError(f"{file}: not a run's configuration; restore the file that gan fit wrote")
    recorded = replace(recorded, tree=recorded.tree | {"run": str(directory)})  # it may have been moved
    from gan.runs.training import go_on  # torch takes seconds to import

    return go_on(directory, recorded, change, allow_import)


def refuse_changes(keys: Iterable[str]) -> None:
    """Raise UserError for the first key that may not change on resuming, such as `model.recipe.prior`."""
    for key in keys:
        if key.split(".")[0] not in MAY_CHANGE and key != "data.root":
            raise UserError(
                f"--{key} may not change on resuming, only {', '.join(f'{s}.*' for s in MAY_CHANGE)} and data.root; "
                "start another run with gan fit"
            )
