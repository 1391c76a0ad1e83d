"""`export` writes a trained generator for others: weights, recipe, ONNX, a picture, and a model card."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.base.disk import making
from gan.base.errors import UserError
from gan.base.importing import import_folders_restored
from gan.base.paths import absolute
from gan.runs.exported import CARD, CONFIG, GRID, ONNX, WEIGHTS
from gan.runs.reader import Row, Run, export_in, run_of
from gan.runs.sample import generator, generator_file

if TYPE_CHECKING:
    from gan.engine.sampling import Sampler

ROWS, COLUMNS, MAX_COLUMNS = 10, 10, 40  # of grid.png: a column for each class, unless there are very many


@import_folders_restored()
def export(
    path: str | Path,
    out: str | Path,
    *,
    checkpoint: str | None = None,
    weights: str | None = None,
    onnx: bool = True,
    allow_import: Collection[str] = (),
) -> Path:
    """Write the generator of a run, a checkpoint or a snapshot to a new directory: `gan.export("runs/…", "digits")`.

    Args:
        path: a run, whose last checkpoint is taken, or a file.
        out: the directory. It must be absent or empty.
        checkpoint: which one of a run, `last` (the default) or `best`.
        weights: `raw` or `ema`, by default `ema` if there are such weights.
        onnx: write model.onnx, too. It needs the packages of `gan[onnx]`.
        allow_import: packages outside `gan` that its code may come from.

    Returns the directory. Raises UserError, in one line, for a mistake. The directory is then as it was.
    """
    directory = absolute(out, "--out").resolve()
    _refuse_used(directory)
    if export_in(absolute(path, "path")):
        raise UserError(f"{path}: is an export already; copy it, or export the run that it came from")
    file = generator_file(path, checkpoint)
    sampler = generator(path, file, weights, allow_import)
    from gan.base.images import grid, write_png
    from gan.runs.card import card
    from gan.runs.onnx_model import to_onnx

    content, config = _described(file, run_of(path), sampler)
    recipe = config["hyper_parameters"]["recipe"]
    model = to_onnx(sampler, f"{path}: recipe.generator {recipe['generator']['name']}") if onnx else None
    columns = sampler.num_classes if 1 < sampler.num_classes <= MAX_COLUMNS else COLUMNS
    images = sampler.sample(ROWS * columns)
    try:
        with making(directory) as part:
            (part / WEIGHTS).write_bytes(content)
            (part / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
            if model is not None:
                (part / ONNX).write_bytes(model)
            write_png(grid(images, columns), part / GRID)
            (part / CARD).write_text(card(config, model is not None), encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out {directory}: cannot write ({error.strerror or error})") from None
    return directory


def _refuse_used(directory: Path) -> None:
    """Raise UserError for a place where no directory can be made, or one that has something in it."""
    if not directory.parent.is_dir():
        raise UserError(f"--out: no directory {directory.parent}; make it first")
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise UserError(f"--out {directory}: is in use; give a directory that is absent or empty")


def _described(file: Path, run: Run | None, sampler: "Sampler") -> tuple[bytes, dict[str, Any]]:
    """Return the content of model.safetensors, and the values of config.json: all that is known of the generator."""
    import torch

    import gan
    from gan.engine.formats import recorded_recipe
    from gan.engine.recipe import Recipe
    from gan.runs.checkpoint import read_recorded, snapshot
    from gan.runs.pins import images_to_export

    if not all(torch.isfinite(parameter).all() for parameter in sampler.generator.parameters()):
        raise UserError(f"{file}: its generator has weights that are not finite; take an earlier one, or the best")
    recorded = read_recorded(file)
    name = str(recorded.variant).rpartition(".")[2]
    recipe = Recipe.of(recorded_recipe(recorded.hyper_parameters["recipe"], recorded.format), name)
    values = {
        "variant": recorded.variant,
        "hyper_parameters": {**recorded.hyper_parameters, "recipe": recipe.to_dict()},
        "step": recorded.step,
        "seed": run.seed if run and recorded.seed is None else recorded.seed,
    }
    content, header = snapshot(sampler, values)
    config = {
        **{"library_name": "gan", "library_version": gan.__version__, **header},
        "commit": _commit(run),
        "state": run.state if run else None,
        "output_range": list(sampler.output_range),
        "reads_labels": sampler.num_classes > 0,
        "batch": sampler.block if sampler.by_batch else None,
        "data": images_to_export(run) if run else None,
        "rows": _rows(run.rows, recorded.step, sampler.weights) if run else [],
    }
    return content, config


def _commit(run: Run | None) -> Any:
    """Return the commit of `gan` that a run was trained with, or None if it is not recorded."""
    entry = run.provenance[-1] if run and run.provenance else {}
    return ((entry.get("repositories") or {}).get("gan") or {}).get("commit")


def _rows(rows: list[Row], step: int, weights: str) -> list[Row]:
    """Return a row of each protocol: that of this step and these weights, or else the newest one."""
    chosen: dict[Any, Row] = {}
    for row in sorted(rows, key=lambda row: ((row["step"], row.get("weights")) == (step, weights), row["step"])):
        chosen[row.get("protocol")] = row
    return list(chosen.values())
