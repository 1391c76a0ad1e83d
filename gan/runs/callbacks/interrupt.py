"""Handles Ctrl-C and termination: the run finishes its update, saves and exits."""

import os
import signal
import threading
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGREE_EVERY = 50  # batches between two agreements of several processes; a single process looks after each batch


class Interrupt(pl.Callback):
    """Turns the first signal into a stop at the end of a batch, on all processes. A second signal acts as usual.

    `received` is the signal that stopped the run. It is None if the run reached its end, even if a signal came.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._pending: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals over from Lightning, whose handlers would stop in the middle of an update."""
        self.received = self._pending = None
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._pending = signal.Signals(number)
        self._restore()
        # `print` could fail: the signal may come in the middle of another write to sys.stderr, which is not reentrant.
        os.write(2, f"\n{self._pending.name}: finishing this update, then saving …\n".encode())

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop if any process has received a signal."""
        stop = self._pending is not None
        if trainer.world_size > 1:
            if batch_idx % AGREE_EVERY:
                return
            flag = torch.tensor(float(stop), device=pl_module.device)
            stop = bool(trainer.strategy.reduce(flag, reduce_op="sum") > 0)
        if stop and trainer.global_step != trainer.max_steps:  # otherwise the run is complete
            self.received = self._pending or signal.SIGTERM
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the signals back."""
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self._restore()
