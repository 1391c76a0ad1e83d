"""`evaluate` and `scores` measure generators, or images that somebody else made."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.base.choices import Choice, nearest
from gan.base.errors import UserError, whole
from gan.base.importing import import_folders_restored
from gan.base.imports import cheap_imports
from gan.base.paths import absolute
from gan.runs.config import canonical
from gan.runs.sample import check_num, generator, generator_file

if TYPE_CHECKING:
    from gan.data.split import LoadedData, Split
    from gan.measure.measure import Judge, Sample
    from gan.measure.measurement import Measurement, Sampler

PLACE = ("root", "source")  # keys of `data` that may differ from the run's
MAX_DRAWS = 1000
Row = dict[str, Any]


@dataclass(frozen=True)
class Evaluated:
    """One generator, or one set of images, that was measured."""

    path: str
    measurement: "Measurement"
    fake: "Sample"  # of the first draw
    rows: list[Row]  # a row for each measure and draw
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """What is measured, and what is known of it."""

    sampler: "Sampler"
    about: Row
    data: "LoadedData"  # the real images
    class_names: tuple[str, ...]
    trained_on: "Split | None"
    judge: "Judge | None" = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # measures and extractor of the run's configuration


@import_folders_restored()
def evaluate(
    path: str | Path,
    num: int = 10000,
    *,
    data: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    weights: str | None = None,
    allow_import: Collection[str] = (),
) -> Row:
    """Return the row of the score with its protocol: `gan.evaluate("runs/…")["fid"]`.

    Arguments are as in `sample`. `num` is the number of fakes. The real images are those of the run, compared with what
    it recorded. `data` says where they are now, {root: …}, or names others of the same data set, {source: …, root: …}.
    Raises UserError, in one line, for a mistake.
    """
    found = measured(path, num, data=data, checkpoint=checkpoint, weights=weights, allow_import=allow_import)
    return found.rows[0]


@import_folders_restored()
def scores(
    path: str | Path,
    num: int = 10000,
    *,
    metrics: Sequence[str] | Mapping[str, Any] | None = None,
    draws: int = 1,
    against: str | Path | None = None,
    data: Mapping[str, Any] | None = None,
    extractor: Choice | None = None,
    checkpoint: str | None = None,
    weights: str | None = None,
    allow_import: Collection[str] = (),
) -> list[Row]:
    """Return a row for each measure and each draw of noise.

    Args:
        path: a run, a checkpoint, a snapshot, a `.npz` with images, or a folder of pictures.
        num: fakes; of images that are there, at most as many.
        metrics: measures or values, such as `fid` or `["all"]`, or {measure: {parameter: …}}; by default the score's.
        draws: how often fresh noise is drawn; row i has `noise_seed` i.
        against: other real images: a `.npz`, a folder of pictures, or the name of a data set. By default the run's own.
        data: where the run's images, or those of the data set `against`, are: {root: …, source: …}.
        extractor: another network than the one that the real images name.
        checkpoint: as in `sample`, and so the next two.
        weights: which weights.
        allow_import: packages.

    Raises UserError, in one line, for a mistake.
    """
    settings: dict[str, Any] = {"against": against, "data": data, "extractor": extractor, "checkpoint": checkpoint}
    found = measured(path, num, metrics=metrics, draws=draws, weights=weights, allow_import=allow_import, **settings)
    return found.rows


def measured(
    path: str | Path,
    num: int,
    *,
    metrics: Sequence[str] | Mapping[str, Any] | None = None,
    draws: int = 1,
    against: str | Path | None = None,
    data: Mapping[str, Any] | None = None,
    extractor: Choice | None = None,
    checkpoint: str | None = None,
    weights: str | None = None,
    allow_import: Collection[str] = (),
    tell: Any = None,
) -> Evaluated:
    """Do what `scores` does, and return what was measured, too. `tell(text)` is called before each part of the work."""
    check_num(num, 2)
    whole(draws, "--draws", least=1, most=MAX_DRAWS)
    with cheap_imports():
        from gan.measure.measurement import Measurement
        from gan.measure.registry import completed_section, named
        from gan.runs.provenance import commit

    words = [metrics] if isinstance(metrics, str) else metrics
    measures = words if words is None or isinstance(words, Mapping) else named(words)
    extractor = completed_section({"extractor": extractor})["extractor"]
    place = place_of(data, own=against is None)
    source = _source(path, against, place, checkpoint, weights, allow_import)
    if source.sampler.weights == "given":
        if draws > 1:
            raise UserError(f"--draws {draws}: {path} are images, whose noise cannot be drawn anew; remove the flag")
        num = min(num, len(source.sampler.images))  # type: ignore[attr-defined]
    measurement = Measurement(
        source.data,
        "report",
        num,
        trained_on=source.trained_on,
        measures=source.settings.get("measures") if measures is None else measures,
        extractor=extractor or source.settings.get("extractor"),
        judged=source.judge is not None,
        leave_out=isinstance(words, Sequence) and "all" in words,
    )
    rows, first = [], None
    for draw in range(draws):
        if tell:
            tell(f"{path}: draw {draw + 1} of {draws}")
        fake = measurement.fakes(source.sampler, draw)
        first = first or fake
        origin = {**source.about, "commit": commit()}
        for one in measurement.measures if measures is not None else measurement.measures[:1]:
            if tell:
                tell(f"{path}: draw {draw + 1} of {draws}, {one.key}")
            (row,) = measurement.rows(source.sampler, fake, draw, [one], discriminator=source.judge)
            names = {"class_names": list(source.class_names)} if "class_share" in row else {}
            rows.append(origin | row | names)
    assert first is not None
    return Evaluated(str(path), measurement, first, rows, source.class_names)


def place_of(data: Mapping[str, Any] | None, own: bool = True) -> dict[str, Any]:
    """Return the section `data` in canonical form. UserError if it names more of a run's `own` images than a place."""
    place = canonical({"data": data or {}}, "")["data"]
    for key in place.keys() - set(PLACE) if own else ():
        raise UserError(f"data.{key}: a generator is measured on its own data set; {nearest(key, PLACE)}")
    return place


def _source(
    path: str | Path,
    against: str | Path | None,
    place: Mapping[str, Any],
    checkpoint: str | None,
    weights: str | None,
    allow_import: Collection[str],
) -> Source:
    """Return what a path stands for, with the real images that it is measured against."""
    found = absolute(path, "path")
    if found.suffix == ".npz" or (found.is_dir() and not _is_generator(found)):
        return _given(found, against, place)
    file = generator_file(path, checkpoint)
    sampler = generator(path, file, weights, allow_import)
    from gan.base.notes import say
    from gan.runs.checkpoint import describe
    from gan.runs.judges import judge_in
    from gan.runs.pins import images_to_measure
    from gan.runs.reader import run_of

    about = {"generator": str(file), **describe(file)}
    judge = judge_in(file, allow_import)
    own = None
    if against is None:
        own, images = images_to_measure(path, file, place, allow_import)
        real, names = images.loaded, tuple(images.class_names)
    else:
        try:
            own, _ = images_to_measure(path, file, {}, allow_import)
        except UserError as error:
            say(f"note: measures of the training images are left out ({error})")
        real, names = _reference(against, place, sampler.sample(1).shape[1])
        if own and real.evaluator is None:
            real = replace(real, evaluator=own.loaded.evaluator)
    trained_on = own.loaded.train if own else None
    run = run_of(path)
    settings = (run.config.get("evaluation") or {}) if run else {}
    return Source(sampler, about, real, names, trained_on, judge, settings)


def _given(path: Path, against: str | Path | None, place: Mapping[str, Any]) -> Source:
    from gan.data.given import read_images
    from gan.measure.given import Given

    if against is None:
        raise UserError(f"{path}: say what these images are compared with: --against DATA|DIR|NPZ")
    real, names = _reference(against, place)
    images = read_images(path, real.test.images.shape[1])
    shapes = [tuple(part.shape[1:]) for part in (images, real.test.images)]
    if shapes[0] != shapes[1]:
        mine, theirs = (" x ".join(map(str, shape)) for shape in shapes)
        raise UserError(f"{path}: images of {mine}, but {against} has images of {theirs}; give images of one shape")
    about = {"generator": str(path), "step": None, "seed": None}
    return Source(Given(images), about, real, names, None)


def _reference(
    against: str | Path, place: Mapping[str, Any], channels: int | None = None
) -> tuple["LoadedData", tuple[str, ...]]:
    """Return other real images, and the names of their classes."""
    from gan.data.datamodule import ImageDataModule
    from gan.data.dataset import DATASETS
    from gan.data.given import as_data, read_images
    from gan.runs.plan import complete_data

    if str(against) in DATASETS:
        images = ImageDataModule(**complete_data({"name": {"name": str(against)}, **place}))
        images.prepare_data()
        images.setup()
        return images.loaded, tuple(images.class_names)
    path = absolute(against, "--against")
    if not path.exists():
        raise UserError(
            f"--against {against}: no such file or folder, and no data set; {nearest(str(against), DATASETS)}"
        )
    if place:
        raise UserError(f"--data.{next(iter(place))}: {against} is a file or a folder; remove the flag")
    kind = "folder" if path.is_dir() else "npz"
    return as_data(read_images(path, channels), path.name, kind), ()


def _is_generator(path: Path) -> bool:
    """Return whether a directory is a run or an export, or holds checkpoints."""
    from gan.runs.exported import weights_of
    from gan.runs.reader import Run

    return Run(path).is_run or (path / "checkpoints").is_dir() or weights_of(path) is not None
