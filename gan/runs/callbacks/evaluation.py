"""Measures the generator: on held-out images in training, and on test images at the end."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl

from gan.base.choices import Choice
from gan.base.disk import writing
from gan.base.errors import UserError, whole
from gan.base.processes import on_every_rank
from gan.data.split import LoadedData
from gan.engine.game import AdversarialModule
from gan.engine.judging import judge_of
from gan.measure.direction import loss
from gan.measure.measurement import Measurement, to_json
from gan.measure.registry import Chosen, chosen
from gan.runs.callbacks.clock import due, run_directory, stopped, write
from gan.runs.differences import about
from gan.runs.directory import METRICS
from gan.runs.provenance import commit
from gan.runs.status import phase

MAX_SAMPLES = 1_000_000  # all are kept in memory
CURVES = ("median_confidence", "min_class_share", "label_agreement")  # values of rows, beside those of the measures


class Evaluation(pl.Callback):
    """Measures every N generator updates, under `metric/NAME`, and at the end, under `metric_test/NAME`.

    If the recipe has an `ema_decay`, the averaged weights are measured, and the tags are `metric_ema/fid` and
    `metric_test_ema/fid`. Otherwise the raw weights are measured.

    Rows with their protocol go to `metrics.jsonl`, one for each measure. Evaluation never moves the training streams,
    so a run ends in the same weights with it and without it. Its share of the time is `throughput/evaluation_share`.

    Args:
        every_n_steps: generator updates between measurements; 0 turns evaluation off.
        num_samples: number of fakes that each measurement draws.
        measures: {name: {parameter: …, every_n_steps: …}}, where the first gives the score, by which the best
            checkpoint is chosen. By default what the data allow: Fréchet distance, classes and variety where an
            extractor knows the data, and else the distance of patches.
        extractor: the network in whose features images are compared, by default the one that the data name.
        data: the real images, for a trainer without an ImageDataModule.
    """

    def __init__(
        self,
        every_n_steps: int = 1000,
        num_samples: int = 10000,
        measures: dict | None = None,
        extractor: Choice | None = None,
        data: LoadedData | None = None,
    ) -> None:
        self.every_n_steps = whole(every_n_steps, "evaluation.every_n_steps")
        self.num_samples = whole(num_samples, "evaluation.num_samples", least=2, most=MAX_SAMPLES)
        self.given, self.extractor = measures, extractor
        if measures is not None:
            _ = chosen(measures)  # a mistake shows before the data are read
            if not measures:
                raise UserError("evaluation.measures: names no measure; turn evaluation off by every_n_steps: 0")
        self.data = data
        self.rows: list[dict[str, Any]] = []  # of the score, that this process measured, the newest row last
        self.report: dict[str, Any] | None = None
        self._seconds = 0.0  # spent on measuring in training

    @property
    def latest_loss(self) -> float:
        """The score that was measured last on held-out images, as a number that is smaller for a better one.

        It is infinity before the first one, and if G has diverged.
        """
        return loss(self.rows[-1][self.rows[-1]["score"]], self.rows[-1]["better"]) if self.rows else math.inf

    def scores(self, trainer: pl.Trainer, outputs: Any) -> bool:
        """Return whether the score is measured at this step."""
        return bool(self.every_n_steps) and due(trainer, outputs, self._cadence(self.selection.measures[0]))

    def _cadence(self, one: Chosen) -> int:
        return one.every_n_steps or self.every_n_steps

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compute the statistics of the real images, once."""
        if not self.every_n_steps:
            return
        self.file = run_directory(trainer) / METRICS
        data = self.data or getattr(getattr(trainer, "datamodule", None), "loaded", None)
        if data is None:
            raise UserError("Evaluation needs real images: train with an ImageDataModule, or give Evaluation(data=…)")
        self.selection, self.reporting = (
            Measurement(
                *(data, role, self.num_samples, pl_module.device),
                trained_on=data.train,
                measures=self.given,
                extractor=self.extractor,
            )
            for role in ("selection", "report")
        )
        if trainer.is_global_zero:  # it alone compares with the real images, whose statistics are made here
            for measurement in (self.selection, self.reporting):
                _ = measurement.floor(measurement.measures[0])

    def measure_like(self, other: "Evaluation", trainer: pl.Trainer) -> None:
        """Take what another run's evaluation knows of the same real images, instead of `on_fit_start`."""
        if self.every_n_steps:
            self.file = run_directory(trainer) / METRICS
            self.selection, self.reporting = other.selection, other.reporting

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of its share of the time."""
        self._seconds, self._start = 0.0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure on held-out images what is due."""
        if not self.every_n_steps:
            return
        measures = [one for one in self.selection.measures if due(trainer, outputs, self._cadence(one))]
        if measures:
            start = time.perf_counter()
            rows = self._measure(trainer, pl_module, self.selection, measures)
            self.rows += [row for row in rows if row.get("score")]
            self._seconds += time.perf_counter() - start
            _write(trainer, "metric", rows, measures)
            write(trainer, {"throughput/evaluation_share": self._seconds / (time.perf_counter() - self._start)})

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure on test images, unless the run was stopped before its end."""
        if self.every_n_steps and not stopped(trainer):
            rows = self._measure(trainer, pl_module, self.reporting, self.reporting.measures)
            self.report = rows[0]
            _write(trainer, "metric_test", rows, self.reporting.measures)

    @phase("evaluation")
    def _measure(
        self, trainer: pl.Trainer, module: pl.LightningModule, measurement: Measurement, measures: Sequence[Chosen]
    ) -> list[dict[str, Any]]:
        """Return a row for each measure, which the first process writes. Each draws and looks at its share of fakes."""
        assert isinstance(module, AdversarialModule)
        sampler = module.sampler()
        fakes = measurement.fakes(sampler, rank=trainer.global_rank, world_size=trainer.world_size)

        def write_rows() -> list[dict[str, Any]]:
            if not trainer.is_global_zero:
                return []
            origin = {
                "step": trainer.global_step,
                "images_seen": module.images_seen,
                "seed": module.run_seed,
                "commit": commit(),
                **about(module),
                "training_precision": str(trainer.precision),
                **({"copies": trainer.copies} if hasattr(trainer, "copies") else {}),  # trained by one program
            }
            rows = measurement.rows(sampler, fakes, measures=measures, discriminator=judge_of(module))
            rows = [origin | row for row in rows]
            with writing(self.file), self.file.open("a") as file:
                file.writelines(to_json(row) + "\n" for row in rows)
            return rows

        return on_every_rank(write_rows)[0]


def _write(trainer: pl.Trainer, tag: str, rows: Sequence[Mapping[str, Any]], measures: Sequence[Chosen]) -> None:
    """Write the values of rows. Averaged weights have tags of their own, so that no curve mixes two kinds."""
    for row, one in zip(rows, measures, strict=False):  # only the first process has rows
        kind = f"{tag}_ema" if row["weights"] == "ema" else tag
        names = [*one.measure.values, *(f"{name}_floor" for name in one.measure.values), *CURVES]
        write(trainer, {f"{kind}/{name}": row[name] for name in names if row.get(name) is not None})
