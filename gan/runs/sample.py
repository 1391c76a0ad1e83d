"""`sample` draws images from a trained generator. Also finds the generator that a path stands for."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gan.base.errors import UserError, whole
from gan.base.importing import import_folders_restored, import_from
from gan.base.paths import absolute
from gan.runs.reader import Run, export_in, run_of
from gan.runs.status import end_if_killed

if TYPE_CHECKING:
    from torch import Tensor

    from gan.engine.sampling import Sampler

MAX_SAMPLES = 1_000_000
MAX_COLUMNS = 10_000  # of a grid
ROWS = 10  # of an interpolation, unless the number of images is given


class Drawn(NamedTuple):
    """Images of a generator."""

    images: "Tensor"  # uint8 (N, C, H, W)
    labels: "Tensor | None"  # (N,), None of a generator that reads none
    num_classes: int  # that the generator reads


def sample(
    path: str | Path,
    num: int | None = None,
    seed: int = 0,
    label: int | None = None,
    *,
    interpolate: bool = False,
    columns: int = 10,
    checkpoint: str | None = None,
    weights: str | None = None,
    allow_import: Collection[str] = (),
) -> "Tensor":
    """Return uint8 images (num, C, H, W) of a run, a checkpoint or a snapshot: `gan.sample("runs/…", 64)`.

    Args:
        path: a run, whose last checkpoint is taken, or a file.
        num: number of images, by default 100, or ten rows of an interpolation.
        seed: of the noise.
        label: the class that a conditional generator draws. By default each class in turn.
        interpolate: draw rows of images from one latent to another.
        columns: images in a row of an interpolation.
        checkpoint: which one of a run, `last` (the default) or `best`.
        weights: `raw` or `ema`, by default `ema` if there are such weights.
        allow_import: packages outside `gan` that its code may come from.

    Raises UserError, in one line, for a mistake.
    """
    return draw(path, num, seed, label, interpolate, columns, checkpoint, weights, allow_import).images


@import_folders_restored()
def draw(
    path: str | Path,
    num: int | None = None,
    seed: int = 0,
    label: int | None = None,
    interpolate: bool = False,
    columns: int = 10,
    checkpoint: str | None = None,
    weights: str | None = None,
    allow_import: Collection[str] = (),
) -> Drawn:
    """Return what `sample` does, with the images' labels."""
    whole(columns, "--columns", 1, MAX_COLUMNS)
    num = (ROWS * columns if interpolate else 100) if num is None else num
    check_num(num, 1)
    for value, name in ((seed, "--seed"), (label, "--class")):
        if not isinstance(value, int | None):
            raise UserError(f"{name} must be a whole number, got {value!r}")
    if interpolate and num % columns:
        raise UserError(f"--interpolate draws rows of {columns}: --num must be a multiple of it, got {num}")
    sampler = generator(path, generator_file(path, checkpoint), weights, allow_import)
    if label is not None and not 0 <= label < sampler.num_classes:
        allowed = f"0 to {sampler.num_classes - 1}" if sampler.num_classes else "none: the generator is unconditional"
        raise UserError(f"--class {label}: no class of this generator; allowed: {allowed}")
    if interpolate:
        rows = num // columns
        images, labels = sampler.interpolate(rows, columns, seed, label), sampler.labels(rows, label)
        labels = None if labels is None else labels[:rows].repeat_interleave(columns)
    else:
        images, labels = sampler.sample(num, seed, label=label), sampler.labels(num, label)
        labels = None if labels is None else labels[:num]
    return Drawn(images, labels, sampler.num_classes)


def check_num(num: int, least: int) -> None:
    """UserError for a number of images that cannot be drawn."""
    whole(num, "--num", least, MAX_SAMPLES)


def generator_file(path: str | Path, checkpoint: str | None) -> Path:
    """Return the checkpoint or snapshot that a path stands for. A line tells of a run that has not come to its end."""
    if checkpoint not in (None, "last", "best"):
        raise UserError(f"--checkpoint must be last or best, got {checkpoint!r}")
    place = absolute(path, "path")
    if checkpoint and (place.is_file() or export_in(place)):
        raise UserError(
            f"--checkpoint {checkpoint} is for a run; {path} is {'a file' if place.is_file() else 'an export'}"
        )
    from gan.base.notes import say  # torch takes seconds to import
    from gan.runs.checkpoint import find_checkpoint

    run = Run(place)
    if run.record and run.state != "finished":
        say(f"note: {run.directory}: {run.status}")
        end_if_killed(run.directory)
    return find_checkpoint(path, checkpoint or "last")


def generator(path: str | Path, file: Path, weights: str | None, allow_import: Collection[str]) -> "Sampler":
    """Return the generator in a file. Code that `allow_import` allows is imported from where its run found it."""
    if weights not in (None, "raw", "ema"):
        raise UserError(f"--weights must be raw or ema, got {weights!r}")
    if allow_import:
        import_its_code(path)
    from gan.runs.checkpoint import load

    return load(file, allow_import, weights)


def import_its_code(path: str | Path) -> None:
    """Let code be imported from where it was found by the run that `path` is or lies in."""
    if run := run_of(path):
        import_from(run.config.get("pythonpath"))
