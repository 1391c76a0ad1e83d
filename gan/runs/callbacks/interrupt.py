"""Stops a run before its end, for a signal or for its time: the run finishes its update, saves and exits."""

import os
import signal
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Timer

from gan.base.errors import UserError

# Ctrl-C, termination, a closed terminal, and the two that a scheduler may be told to send before its own end.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)
AGREE_EVERY = 50  # batches between two agreements of several processes; a single process looks after each batch
TIME = 0.5  # what several processes compare: this, or the number of a signal, which wins


class Interrupt(pl.Callback):
    """Turns the first signal into a stop at the end of a batch, on all processes. A second signal acts as usual.

    A signal that the process ignored before, as under `nohup`, stays ignored. The time limit counts from the start of
    this process's training, so that a resumed run has it anew; Lightning's own would be over at once.

    Args:
        limit: seconds after which to stop.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit
        self.received: signal.Signals | None = None  # the signal that stopped the run; None if it came too late
        self.reason: str | None = None  # `signal NAME` or `time`, if one of them stopped the run
        self._pending: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals over from Lightning, whose handlers would stop in the middle of an update."""
        self.received = self.reason = self._pending = None
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._handle) for number in heard}
        self._start = time.monotonic()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._pending = signal.Signals(number)
        self._restore()
        # `print` could fail: the signal may come in the middle of another write to sys.stderr, which is not reentrant.
        with suppress(OSError):  # of a terminal that was closed
            os.write(2, f"\n{self._pending.name}: finishing this update, then saving …\n".encode())

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop if any process has received a signal, or if the time is over."""
        late = self.limit is not None and time.monotonic() - self._start >= self.limit
        stop = float(self._pending or (TIME if late else 0))
        if trainer.world_size > 1:
            if batch_idx % AGREE_EVERY:
                return
            flag = torch.tensor(stop, device=pl_module.device)
            stop = float(trainer.strategy.reduce(flag, reduce_op="max"))
        if stop and not _complete(trainer):
            self.received = signal.Signals(int(stop)) if stop > TIME else None
            self.reason = f"signal {self.received.name}" if self.received else "time"
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the signals back."""
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self._restore()


def _complete(trainer: pl.Trainer) -> bool:
    """Return whether this batch is the run's last one anyhow."""
    last_epoch = trainer.current_epoch + 1 == trainer.max_epochs
    return trainer.global_step == trainer.max_steps or (trainer.is_last_batch and last_epoch)


def seconds(max_time: Any) -> float | None:
    """Return the seconds that `trainer.max_time` means to Lightning. None for None."""
    try:
        return Timer(max_time).time_remaining()
    except Exception as error:
        written = 'DD:HH:MM:SS, in YAML within quotes ("10:00:00:00" is ten days), or {hours: 2}'
        raise UserError(f"trainer.max_time must be a time, {written}; got {max_time!r}") from error
