"""What every callback shares: the clock, the run's directory and the way to the loggers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from gan.base.errors import UserError


def due(trainer: pl.Trainer, outputs: Any, every_n_steps: int) -> bool:
    """Whether the batch just ended with a generator update whose number is a multiple of N; never for N = 0."""
    return every_n_steps > 0 and "generator" in outputs["updated"] and trainer.global_step % every_n_steps == 0


def ending(trainer: pl.Trainer) -> bool:
    """At an epoch's end: whether it is the last. `trainer.fit_loop.done` says so too, but prints it each time."""
    epochs = trainer.current_epoch + 1  # Lightning counts this one later
    steps_done, epochs_done = 0 <= trainer.max_steps <= trainer.global_step, 0 <= (trainer.max_epochs or -1) <= epochs
    return trainer.should_stop or steps_done or epochs_done


def run_directory(trainer: pl.Trainer) -> Path:
    """Where the run writes: as `gan fit` says, else the logger's directory or the trainer's root. Collective."""
    return Path(getattr(trainer, "run_directory", None) or trainer.log_dir or trainer.default_root_dir)


def write(trainer: pl.Trainer, values: Mapping[str, float]) -> None:
    """Scalars to every logger, at the clock's step, and to `trainer.callback_metrics` for the progress bar."""
    for logger in trainer.loggers:
        logger.log_metrics(dict(values), step=trainer.global_step)
    trainer.callback_metrics.update({tag: torch.tensor(value) for tag, value in values.items()})


def whole(value: Any, name: str, least: int = 0) -> int:
    """`value`, if it is a whole number of at least `least`; UserError, by name, if not."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return value
