"""Adds rows of measures to a run that was trained without them, for each checkpoint and snapshot that it kept."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from gan.base.disk import writing
from gan.base.errors import UserError
from gan.base.importing import import_folders_restored
from gan.base.paths import absolute
from gan.measure.measurement import Measurement, to_json
from gan.measure.registry import named
from gan.runs.checkpoint import load
from gan.runs.directory import METRICS
from gan.runs.evaluate import place_of
from gan.runs.judges import judge_in
from gan.runs.owner import owned
from gan.runs.pins import images_to_measure
from gan.runs.provenance import commit
from gan.runs.reader import Run, read_run
from gan.runs.rows import score_name

ABOUT = ("variant", "recipe", "differs", "training_precision")
# What makes a row another one: of the same values a row is written once.
SAME = ("step", "role", "protocol", "noise_seed")


@import_folders_restored()
def add_rows(
    path: str | Path,
    metrics: Sequence[str] | None = None,
    *,
    weights: str | None = None,
    data: Mapping[str, Any] | None = None,
    allow_import: Collection[str] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> int:
    """Write the missing rows of `metrics.jsonl`, and return how many they are.

    Each checkpoint and snapshot is measured on held-out images at its own step, as in training, and the end of a
    finished run on test images, too. The number of fakes and the extractor are those of the run's configuration, and so
    are the measures, unless `metrics` names others. UserError, in one line, for a mistake.
    """
    run = read_run(absolute(path, "path"))
    settings = run.config.get("evaluation") or {}
    place = place_of(data)
    files = run.snapshots | run.checkpoints
    if not files:
        raise UserError(f"{run.directory}: keeps no checkpoint and no snapshot to measure; give a run that does")
    last = files[max(files)]
    own, images = images_to_measure(run.directory, last, place, allow_import)
    measures = named(metrics) if metrics is not None else settings.get("measures")
    asked: dict[str, Any] = {
        "trained_on": own.loaded.train,
        "measures": measures,
        "extractor": settings.get("extractor"),
        "leave_out": "all" in (metrics or ()),
    }
    num = settings.get("num_samples", 10_000)
    roles = {role: Measurement(images.loaded, role, num, **asked) for role in ("selection", "report")}
    known = {tuple(row.get(key) for key in SAME) for row in run.rows}
    with owned(run.directory):
        added = []
        for step, file in sorted(files.items()):
            ends = file == last and run.state == "finished"
            for role in ("selection", "report") if ends else ("selection",):
                tell(f"{run.directory}: step {step:,}, {role}")
                added += _rows(run, step, file, roles[role], known, weights, allow_import)
        file_of_rows = run.directory / METRICS
        with writing(file_of_rows), file_of_rows.open("a") as stream:
            stream.writelines(to_json(row) + "\n" for row in added)
    return len(added)


def _rows(
    run: Run,
    step: int,
    file: Path,
    measurement: Measurement,
    known: Collection[tuple[Any, ...]],
    weights: str | None,
    allow_import: Collection[str],
) -> list[dict[str, Any]]:
    """Return the rows of one checkpoint or snapshot that are not known."""
    sampler, judge = load(file, allow_import, weights), judge_in(file, allow_import)

    def is_known(protocol: Any) -> bool:
        return (step, measurement.role, protocol.protocol_id, 0) in known

    missing = [
        one
        for one in measurement.measures
        if not is_known(measurement.protocol(one, sampler, 0)) and (judge or "discriminator" not in one.measure.needs)
    ]
    if not missing:
        return []
    rows = measurement.rows(sampler, measurement.fakes(sampler), 0, missing, judge)
    origin = {**_about(run), "step": step, "seed": run.seed, "commit": commit(), "added": True}
    score = score_name(run.selection_rows[0]) if run.selection_rows else None
    for row, one in zip(rows, missing, strict=True):
        if score is not None:  # the run's own score stays what it was
            row["score"] = score if score in one.measure.values else None
    return [origin | row for row in rows]


def _about(run: Run) -> dict[str, Any]:
    """Return what the run's own rows say of its variant and recipe."""
    return {key: run.rows[0][key] for key in ABOUT if run.rows and key in run.rows[0]}
