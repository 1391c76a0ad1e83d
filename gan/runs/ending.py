"""How a run ends: its state, its reason, and the exit code of the command that trained it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn

from gan.base.disk import training
from gan.base.errors import DiskError, UserError
from gan.runs.callbacks.interrupt import Interrupt
from gan.runs.callbacks.watchdog import Watchdog
from gan.runs.fit import CODES
from gan.runs.signs import not_finite
from gan.runs.status import Life, living


@dataclass(frozen=True)
class End:
    """The end of a training that raised no error."""

    state: str
    reason: str | None
    code: int


def end_of(trainer: pl.Trainer, module: nn.Module) -> End:
    """Return how a training ended.

    It has diverged if a weight is not finite, whatever stopped it: no update makes such a weight finite again.
    """
    if lost := not_finite(module):
        return End("diverged", lost, CODES["diverged"])
    interrupt = next(c for c in trainer.callbacks if isinstance(c, Interrupt))  # type: ignore[attr-defined]
    if interrupt.received:
        return End("stopped", interrupt.reason, 128 + interrupt.received)
    if interrupt.reason:
        return End("stopped", interrupt.reason, CODES["time"])
    watchdog = next((c for c in trainer.callbacks if isinstance(c, Watchdog)), None)  # type: ignore[attr-defined]
    if watchdog and watchdog.stopped:
        return End("stopped", f"watchdog: {watchdog.stopped}", CODES["watchdog"])
    if trainer.should_stop and trainer.global_step != trainer.max_steps:
        return End("stopped", "callback", CODES["callback"])
    return End("finished", None, 0)


@contextmanager
def told(life: Life | None, trainer: pl.Trainer, new: bool) -> Iterator[None]:
    """Within it, a run is trained. An error becomes the end of its status, and of its kind where there is one line."""
    if life is None:
        with _of_its_kind(trainer):
            yield
        return
    if new:
        life.begin(0)
    with living(life):
        try:
            with _of_its_kind(trainer):
                yield
        except KeyboardInterrupt:
            life.end("stopped", trainer.global_step, "signal SIGINT")
            raise
        except DiskError as error:
            life.end("stopped", trainer.global_step, f"disk: {error}")
            raise
        except BaseException as error:
            life.end("failed", trainer.global_step, f"{type(error).__name__}: {error}")
            raise


@contextmanager
def _of_its_kind(trainer: pl.Trainer) -> Iterator[None]:
    """Turn the errors of Lightning and of the disk into those that the command line knows."""
    try:
        with training():
            yield
    except SystemExit:  # Lightning raises it after a second Ctrl-C, or after one before the first update
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    except MisconfigurationException as error:
        raise UserError(f"trainer: {' '.join(str(error).split())[:300]}") from error
