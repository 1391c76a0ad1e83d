"""Functions that all callbacks use: what the clock says, the run's directory, and writing to the loggers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from gan.base.disk import writing


def due(trainer: pl.Trainer, outputs: Any, every_n_steps: int) -> bool:
    """Return whether the batch had a generator update whose number is a multiple of N. With N = 0 it never has."""
    return every_n_steps > 0 and "generator" in outputs["updated"] and trainer.global_step % every_n_steps == 0


def ending(trainer: pl.Trainer) -> bool:
    """Return, at an epoch's end, whether training ends. `trainer.fit_loop.done` says so too, but also prints it."""
    epochs = trainer.current_epoch + 1  # Lightning has not counted this epoch yet
    steps_done, epochs_done = 0 <= trainer.max_steps <= trainer.global_step, 0 <= (trainer.max_epochs or -1) <= epochs
    return trainer.should_stop or steps_done or epochs_done


def stopped(trainer: pl.Trainer) -> bool:
    """Return whether training was stopped before its last step. What only its end has is then not written."""
    return trainer.should_stop and trainer.global_step != trainer.max_steps


def run_directory(trainer: pl.Trainer) -> Path:
    """Return the directory of a run of `gan fit`, else the logger's or the trainer's. All processes must call this.

    It is made here, before training. Later nothing makes it anew: a run whose directory has gone stops.
    """
    directory = Path(getattr(trainer, "run_directory", None) or trainer.log_dir or trainer.default_root_dir)
    if trainer.is_global_zero:
        directory.mkdir(parents=True, exist_ok=True)
    return directory


def write(trainer: pl.Trainer, values: Mapping[str, float]) -> None:
    """Write scalars to every logger at the clock's step, and to `trainer.callback_metrics` for the progress bar."""
    with writing(Path(trainer.default_root_dir)):
        for logger in trainer.loggers:
            logger.log_metrics(dict(values), step=trainer.global_step)
    trainer.callback_metrics.update({tag: torch.tensor(value) for tag, value in values.items()})
