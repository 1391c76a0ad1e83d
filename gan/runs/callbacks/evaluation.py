"""Measures the Fréchet distance: on held-out images in training, and on test images at the end."""

import math
from typing import Any

import pytorch_lightning as pl

from gan.base.disk import writing
from gan.base.errors import UserError, whole
from gan.base.notes import say
from gan.base.processes import on_every_rank
from gan.data.split import LoadedData
from gan.engine.game import AdversarialModule
from gan.measure.extractors import evaluator_of, not_measured
from gan.measure.measurement import Measurement, to_json
from gan.runs.callbacks.clock import due, run_directory, stopped, write
from gan.runs.differences import about
from gan.runs.directory import METRICS
from gan.runs.provenance import commit
from gan.runs.status import phase

MAX_SAMPLES = 1_000_000  # all are kept in memory
SCORES = ("fid", "fid_floor", "median_confidence", "min_class_share", "label_agreement")


class Evaluation(pl.Callback):
    """Measures `metric/fid` and class shares every N generator updates, and `metric_test/fid` at the end.

    If the recipe has an `ema_decay`, the averaged weights are measured, and the tags are `metric_ema/fid` and
    `metric_test_ema/fid`. Otherwise the raw weights are measured.

    Rows with their protocol go to `metrics.jsonl`. Evaluation never moves the training streams, so a run ends in the
    same weights with it and without it. If the data set names no evaluator, nothing is measured, and a note says so.

    Args:
        every_n_steps: generator updates between measurements; 0 turns evaluation off.
        num_samples: number of fakes that each measurement draws.
        data: the real images, for a trainer without an ImageDataModule.
    """

    def __init__(self, every_n_steps: int = 1000, num_samples: int = 10000, data: LoadedData | None = None) -> None:
        self.every_n_steps = whole(every_n_steps, "evaluation.every_n_steps")
        self.num_samples = whole(num_samples, "evaluation.num_samples", least=2, most=MAX_SAMPLES)
        self.data = data
        self.measures = False  # set when the data are known
        self.rows: list[dict[str, Any]] = []  # what this process measured, the newest row last
        self.report: dict[str, Any] | None = None

    @property
    def latest_fid(self) -> float:
        """The FID that was measured last on held-out images. It is infinity before that, and if G has diverged."""
        fid = self.rows[-1]["fid"] if self.rows else math.inf
        return fid if math.isfinite(fid) else math.inf

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compute the statistics of the real images, once."""
        self.measures = False
        if not self.every_n_steps:
            return
        self.file = run_directory(trainer) / METRICS
        data = self.data or getattr(getattr(trainer, "datamodule", None), "loaded", None)
        if data is None:
            raise UserError("Evaluation needs real images: train with an ImageDataModule, or give Evaluation(data=…)")
        self.measures = evaluator_of(data) is not None
        if not self.measures:
            say(f"note: {not_measured(data)}")
            return
        self.selection = Measurement(data, "selection", self.num_samples, pl_module.device)
        self.reporting = Measurement(data, "report", self.num_samples, pl_module.device)
        if trainer.is_global_zero:  # it alone compares with the real images, whose statistics are made here
            _ = self.selection.floor, self.reporting.floor

    def measure_like(self, other: "Evaluation", trainer: pl.Trainer) -> None:
        """Take what another run's evaluation knows of the same real images, instead of `on_fit_start`."""
        if self.every_n_steps:
            self.file, self.measures = run_directory(trainer) / METRICS, other.measures
            if other.measures:
                self.selection, self.reporting = other.selection, other.reporting

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure on held-out images, when due."""
        if not (self.measures and due(trainer, outputs, self.every_n_steps)):
            return
        row = self._measure(trainer, pl_module, "selection")
        self.rows.append(row)
        _write(trainer, "metric", row)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure on test images, unless the run was stopped before its end."""
        if self.measures and not stopped(trainer):
            self.report = self._measure(trainer, pl_module, "report")
            _write(trainer, "metric_test", self.report)

    @phase("evaluation")
    def _measure(self, trainer: pl.Trainer, module: pl.LightningModule, role: str) -> dict[str, Any]:
        """Return one row, which the first process writes. Each draws and classifies its share of the fakes."""
        assert isinstance(module, AdversarialModule)
        measurement, sampler = self.selection if role == "selection" else self.reporting, module.sampler()
        seen = measurement.seen(sampler, rank=trainer.global_rank, world_size=trainer.world_size)

        def write_row() -> dict[str, Any]:
            if not trainer.is_global_zero:
                return {}
            row = {
                "step": trainer.global_step,
                "images_seen": module.images_seen,
                "seed": module.run_seed,
                "commit": commit(),
                **about(module),
                "training_precision": str(trainer.precision),
                **({"copies": trainer.copies} if hasattr(trainer, "copies") else {}),  # trained by one program
                **measurement.row(sampler, *seen),
            }
            with writing(self.file), self.file.open("a") as file:
                file.write(to_json(row) + "\n")
            return row

        return on_every_rank(write_row)[0]


def _write(trainer: pl.Trainer, tag: str, row: dict[str, Any]) -> None:
    """Write the scores of a row. Averaged weights have tags of their own, so that no curve mixes two kinds."""
    tag += "_ema" if row["weights"] == "ema" else ""
    write(trainer, {f"{tag}/{name}": row[name] for name in SCORES if row[name] is not None})
