"""`sample` draws images from a trained generator. Also finds the generator that a path stands for."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from gan.base.errors import UserError, whole
from gan.base.importing import import_folders_restored, import_from
from gan.base.paths import absolute
from gan.runs.reader import Run, run_of
from gan.runs.status import end_if_killed

if TYPE_CHECKING:
    from torch import Tensor

    from gan.engine.sampling import Sampler

MAX_SAMPLES = 1_000_000
COLUMNS = 10  # of a grid of interpolations


@import_folders_restored()
def sample(
    path: str | Path,
    num: int = 100,
    seed: int = 0,
    label: int | None = None,
    *,
    interpolate: bool = False,
    checkpoint: str | None = None,
    weights: str | None = None,
    allow_import: Collection[str] = (),
) -> "Tensor":
    """Return uint8 images (num, C, H, W) of a run, a checkpoint or a snapshot: `gan.sample("runs/…", 64)`.

    Args:
        path: a run, whose last checkpoint is taken, or a file.
        num: number of images.
        seed: of the noise.
        label: the class that a conditional generator draws. By default each class in turn.
        interpolate: draw rows of ten images from one latent to another.
        checkpoint: which one of a run, `last` (the default) or `best`.
        weights: `raw` or `ema`, by default `ema` if there are such weights.
        allow_import: packages outside `gan` that its code may come from.

    Raises UserError, in one line, for a mistake.
    """
    check_num(num, 1)
    for value, name in ((seed, "--seed"), (label, "--class")):
        if not isinstance(value, int | None):
            raise UserError(f"{name} must be a whole number, got {value!r}")
    if interpolate and num % COLUMNS:
        raise UserError(f"--interpolate draws rows of {COLUMNS}: --num must be a multiple of it, got {num}")
    sampler = generator(path, generator_file(path, checkpoint), weights, allow_import)
    if label is not None and not 0 <= label < sampler.num_classes:
        allowed = f"0 to {sampler.num_classes - 1}" if sampler.num_classes else "none: the generator is unconditional"
        raise UserError(f"--class {label}: no class of this generator; allowed: {allowed}")
    if interpolate:
        return sampler.interpolate(num // COLUMNS, COLUMNS, seed, label)
    return sampler.sample(num, seed, label=label)


def check_num(num: int, least: int) -> None:
    """UserError for a number of images that cannot be drawn."""
    whole(num, "--num", least, MAX_SAMPLES)


def generator_file(path: str | Path, checkpoint: str | None) -> Path:
    """Return the checkpoint or snapshot that a path stands for. A line tells of a run that has not come to its end."""
    if checkpoint not in (None, "last", "best"):
        raise UserError(f"--checkpoint must be last or best, got {checkpoint!r}")
    if checkpoint and absolute(path, "path").is_file():
        raise UserError(f"--checkpoint {checkpoint} is for a run; {path} is a file")
    from gan.base.notes import say  # torch takes seconds to import
    from gan.runs.checkpoint import find_checkpoint

    run = Run(absolute(path, "path"))
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
