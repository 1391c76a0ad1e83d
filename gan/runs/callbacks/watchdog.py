"""Looks now and then for signs that a training fails, and says so: in a line, in the run's status and in its curves."""

import math
from typing import Any

import pytorch_lightning as pl
import torch

from gan.base.errors import UserError, whole
from gan.base.notes import say
from gan.base.processes import on_every_rank
from gan.engine.game import AdversarialModule
from gan.runs.callbacks.clock import due, write
from gan.runs.signs import ADVICE, ONE_IMAGE, SIGNS, YOUNG, YOUNG_STEPS, Found, not_finite, sure, variance
from gan.runs.status import Alarm, alarms_of, kept, tell_alarms

FAKES, REAL = 64, 256  # numbers of images that are looked at
IN_A_ROW = 3  # checks that must agree before an alarm begins or ends, so that no single dip counts
AT_ONCE = ("nan",)  # signs whose first sight is an alarm
LENGTH = 10_000  # steps that a run without `max_steps` is taken to have


class Watchdog(pl.Callback):
    """Marks a run in which G or D fails: `nan`, `saturated`, `collapsed`, `dead` (`gan.runs.signs` has the bounds).

    An alarm names its sign, step and reason. It is said, stands in `status.json` and is 1 in the curve `watchdog/SIGN`.
    An alarm whose sign went away is marked as over. Nothing of the training moves: fakes are drawn from the noise of
    the image grid, with the raw weights, and D's outputs and gradient norms are those that `Scalars` wrote last.
    Without `Scalars` the watchdog sees weights and images only; without an ImageDataModule `nan` and `saturated` only.

    Args:
        every_n_steps: generator updates between checks; 0 turns the watchdog off.
        stop: whether a run with an alarm is stopped.
    """

    def __init__(self, every_n_steps: int = 100, stop: bool = False) -> None:
        self.every_n_steps, self.stop = whole(every_n_steps, "watchdog.every_n_steps"), stop
        self.alarms: list[Alarm] = []
        self.stopped: str | None = None  # the sign that stopped the run
        self._rows: dict[str, int] = {}  # sign -> number of checks in a row that contradict its state
        self._norms = {"number": 0.0, "logarithms": 0.0, "diverse": 0.0}
        self._before: torch.Tensor | None = None
        self._seen = -1  # `images_seen` when scalars were written last
        self._real: torch.Tensor | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell the status of the alarms that a resumed run had."""
        self.stopped, self._before, self._seen, self._real = None, None, -1, _real(trainer)
        if self.alarms:
            tell_alarms(self.alarms)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check, when due. The first process looks, and all stop by what it saw."""
        if not due(trainer, outputs, self.every_n_steps):
            return
        if not self.stop:
            if trainer.is_global_zero:
                self._check(trainer, pl_module)
            return
        standing = on_every_rank(lambda: self._check(trainer, pl_module) if trainer.is_global_zero else None)[0]
        if standing and trainer.global_step != trainer.max_steps:
            self.stopped, trainer.should_stop = standing, True

    def state_dict(self) -> dict[str, Any]:
        """Return the alarms, and what the next ones are judged by."""
        return {
            "alarms": {str(number): alarm.to_dict() for number, alarm in enumerate(self.alarms)},
            "rows": dict(self._rows),
            "norms": dict(self._norms),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them from a checkpoint. UserError for what is no alarm."""
        try:
            self.alarms = list(alarms_of(list(state_dict["alarms"].values())))
        except ValueError as error:
            raise UserError(f"checkpoint: damaged: callbacks.Watchdog.alarms: {error}; give a sound one") from None
        self._rows = {sign: int(row) for sign, row in state_dict["rows"].items() if sign in SIGNS}
        self._norms |= {key: value for key, value in state_dict["norms"].items() if key in self._norms}

    def _check(self, trainer: pl.Trainer, module: pl.LightningModule) -> str | None:
        """Look once. Return the sign of an alarm that stands, or None."""
        assert isinstance(module, AdversarialModule)
        found = self._look(trainer, module)
        changes = {sign: change for sign, look in SIGNS.items() if (change := self._judged(sign, look(found), trainer))}
        if changes:
            tell_alarms(self.alarms)
            write(trainer, {f"watchdog/{sign}": float(change == "begins") for sign, change in changes.items()})
        self._before = found.fakes
        return next((alarm.sign for alarm in self.alarms if alarm.over is None), None)

    def _look(self, trainer: pl.Trainer, module: AdversarialModule) -> Found:
        fakes = module.sampler("raw").sample(FAKES, purpose="image grid")
        told = {tag: float(value) for tag, value in trainer.callback_metrics.items()}
        fresh, self._seen = told.get("images_seen", -1) != self._seen, int(told.get("images_seen", -1))
        if self._real is not None and variance(fakes) >= ONE_IMAGE * variance(self._real):
            self._norms["diverse"] = 1.0
        length = trainer.max_steps if trainer.max_steps > 0 else LENGTH
        number, norm = self._norms["number"], told.get("gradient_norm/generator", 0.0) if fresh else 0.0
        level = math.exp(self._norms["logarithms"] / number) if number else 1.0
        if 0 < norm < math.inf and not sure(told):
            self._norms["number"], self._norms["logarithms"] = number + 1, self._norms["logarithms"] + math.log(norm)
        return Found(
            fakes=fakes,
            before=self._before,
            real=self._real,
            young=not self._norms["diverse"] and trainer.global_step < max(YOUNG_STEPS, YOUNG * length),
            scalars=told if fresh else {},
            level=level,
            loss=str(module.recipe.loss["name"]),  # type: ignore[index]
            lost=not_finite(module),
        )

    def _judged(self, sign: str, seen: str | None, trainer: pl.Trainer) -> str | None:
        """Count a sight. Return `begins` or `ends` if it changes an alarm, which is then said."""
        if seen is None:
            return None
        standing = next((n for n, alarm in enumerate(self.alarms) if (alarm.sign, alarm.over) == (sign, None)), None)
        if bool(seen) == (standing is not None):
            self._rows.pop(sign, None)
            return None
        self._rows[sign] = self._rows.get(sign, 0) + 1
        if self._rows[sign] < (1 if seen and sign in AT_ONCE else IN_A_ROW):
            return None
        self._rows.pop(sign)
        step = trainer.global_step
        run = f"{trainer.run_directory.name}: " if hasattr(trainer, "copies") else ""  # type: ignore[attr-defined]
        if standing is not None:
            self.alarms[standing] = self.alarms[standing].ended(step)
            say(f"note: {run}step {step:,}: no longer {sign}")
            return "ends"
        self.alarms = kept([*self.alarms, Alarm(sign, step, seen)])
        say(f"warning: {run}step {step:,}: {sign}: {seen}; {ADVICE[sign]} (docs/reading_runs.md)")
        return "begins"


def _real(trainer: pl.Trainer) -> torch.Tensor | None:
    """Return real images that are spread over the training set. None without an ImageDataModule."""
    data = getattr(getattr(trainer, "datamodule", None), "loaded", None)
    if data is None:
        return None
    images = data.train.images
    return images[:: max(1, len(images) // REAL)][:REAL].cpu()
