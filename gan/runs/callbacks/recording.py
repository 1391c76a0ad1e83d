"""Records that a run trains: when its training begins, its provenance and configuration, then its status."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

from gan.runs.status import Life


class Recording(pl.Callback):
    """Comes before all other callbacks.

    A run is recorded where its training begins, after everything is restored. So a refused resumption changes no file.
    The loggers' files begin there too; Lightning would open them before it restores a checkpoint.

    Args:
        life: writes the status. None in all processes but the first.
        begin: called where the training begins, in the first process.
        data: what of the data may not change on resuming. It is kept in the checkpoints.
    """

    def __init__(self, life: Life | None, begin: Callable[[], None], data: dict[str, Any]) -> None:
        self.life, self.begin, self.data = life, begin, data
        self.began = False
        self._loggers: list[Any] = []

    def hide_loggers(self, trainer: pl.Trainer) -> None:
        """Hide the loggers until Lightning has passed the place where it opens them. Each opens at its first value."""
        self._loggers, trainer.loggers = trainer.loggers, []
        trainer.enable_autolog_hparams = False  # it would open them, too; Hyperparameters writes the recipe

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the loggers back."""
        trainer.loggers = self._loggers

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the run."""
        self.began = True
        if self.life:
            self.begin()
            self.life.begin(trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the heartbeat."""
        if self.life:
            self.life.beat(trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        """Return what may not change on resuming."""
        return {"data": self.data}
