"""Gives each copy of a pack what a single run has: scalars, pictures, measurements, checkpoints and a status."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from gan.engine.copies import Pack
from gan.engine.game import AdversarialModule
from gan.runs.callbacks.checkpoints import Checkpoints
from gan.runs.callbacks.clock import due
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.scalars import Scalars
from gan.runs.status import Life, living


class CopyTrainer:
    """The pack's trainer, with the loggers, callbacks, directory and checkpoints of one copy.

    The callbacks of a single run take it for their trainer. What it does not have itself is the pack's.
    """

    def __init__(self, number: int, copies: int, directory: Path, loggers: list[Any], callbacks: list[Any]) -> None:
        self.number, self.copies = number, copies
        self.run_directory, self.default_root_dir = directory, str(directory)
        self.loggers, self.callbacks = loggers, callbacks
        if number:  # the progress bar shows the first copy
            self.callback_metrics: dict[str, Tensor] = {}

    def of(self, trainer: pl.Trainer) -> None:
        """Set the pack's trainer."""
        self.trainer = trainer

    def __getattr__(self, name: str) -> Any:
        if name == "trainer":
            raise AttributeError(name)
        return getattr(self.trainer, name)

    def save_checkpoint(self, path: Path) -> None:
        """Write the checkpoint that the copy's single run would write."""
        content = self.trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        pack: Any = self.trainer.lightning_module
        states = {callback.state_key: callback.state_dict() for callback in self.callbacks}
        own = pack.own_checkpoint(self.number, content) | {"callbacks": {k: s for k, s in states.items() if s}}
        self.trainer.strategy.save_checkpoint(own, path)


@dataclass
class Member:
    """One copy of a pack, with its own run."""

    module: AdversarialModule
    trainer: Any  # its CopyTrainer
    life: Life
    own: list[pl.Callback]  # its callbacks, without those that watch the whole pack

    def call(self, hook: str, *arguments: Any, but: type | None = None) -> None:
        """Call a hook of this copy's own callbacks, but not of those of a class."""
        with living(self.life):
            for callback in self.own:
                if but is None or not isinstance(callback, but):
                    getattr(callback, hook)(self.trainer, self.module, *arguments)


class StackedScalars(Scalars):
    """Sums the scalars of all copies at once. They are given to the copies' own `Scalars` only when those are asked."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.own = [next(c for c in member.own if type(c) is Scalars) for member in members]
        super().__init__(self.own[0].every_n_steps)

    def gather(self) -> None:
        """Take the sums with which each copy begins."""
        first = self.own[0]
        self._restart(first._start_step, first._start_images)
        self._start, self._counts = first._start, dict(first._counts)
        self._sums = {tag: torch.stack([own._sums[tag] for own in self.own]) for tag in first._sums}
        self._last_update = {
            tag: torch.tensor([float(own._last_update[tag]) for own in self.own]) for tag in first._last_update
        }

    def hand_out(self) -> None:
        """Give each copy its part of the sums."""
        sums = {tag: total.cpu() for tag, total in self._sums.items()}
        last = {tag: value.cpu() if isinstance(value, Tensor) else value for tag, value in self._last_update.items()}
        for number, own in enumerate(self.own):
            own._restart(self._start_step, self._start_images)
            own._start, own._counts = self._start, dict(self._counts)
            own._sums = {tag: total[number] for tag, total in sums.items()}
            own._last_update = {t: v[number] if isinstance(v, Tensor) else v for t, v in last.items()}

    def _norm(self, gradients: list[Tensor]) -> Tensor:
        """Return each copy's norm, (S,)."""
        return torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)

    def _write(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        self.hand_out()
        for own, member in zip(self.own, self.members, strict=True):
            own._write(member.trainer, member.module)
        self._restart(trainer.global_step, module.images_seen)


class Copies(pl.callbacks.Checkpoint):
    """Calls the callbacks of each copy. It comes last, as checkpoints do."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.scalars = StackedScalars(members)
        callbacks = members[0].own
        self.periods = [c.every_n_steps for c in callbacks if hasattr(c, "every_n_steps") and type(c) is not Scalars]
        self.milestones = next(c.milestones for c in callbacks if isinstance(c, Checkpoints))

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let each copy see its weights. The statistics of the real images are computed once."""
        assert isinstance(pl_module, Pack)
        pl_module.share()
        first, *others = self.members
        first.call("on_fit_start")
        measuring = next(c for c in first.own if isinstance(c, Evaluation))
        for member in others:
            for callback in member.own:
                if isinstance(callback, Evaluation):
                    callback.measure_like(measuring, member.trainer)
                else:
                    callback.on_fit_start(member.trainer, member.module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record each run, and begin its files."""
        self._tell(pl_module)
        for member in self.members:
            member.call("on_train_start")
        self.scalars.gather()

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Keep what the scalars tell of an update."""
        self.scalars.on_before_optimizer_step(trainer, pl_module, optimizer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Sum the scalars, and call the other callbacks when something is due. So a step waits for nothing else."""
        for member in self.members:
            member.life.beat(trainer.global_step)
        if "generator" in outputs["updated"] and due(trainer, outputs, self.scalars.every_n_steps):
            self._tell(pl_module)
        self.scalars.on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        asked = any(due(trainer, outputs, period) for period in self.periods) or trainer.should_stop
        if asked or ("generator" in outputs["updated"] and trainer.global_step in self.milestones):
            self._ask(pl_module, "on_train_batch_end", {**outputs, "scalars": {}}, batch, batch_idx)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the end."""
        self._ask(pl_module, "on_train_epoch_end")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write what only the end has."""
        self._ask(pl_module, "on_train_end")

    def close(self, status: str) -> None:
        """Close the loggers' files. Lightning does so for the loggers of its own."""
        for member in self.members:
            for logger in member.trainer.loggers:
                logger.finalize(status)

    def _tell(self, pack: pl.LightningModule) -> None:
        assert isinstance(pack, Pack)
        for member in self.members:
            pack.tell(member.module, pack)

    def _ask(self, pack: pl.LightningModule, hook: str, *arguments: Any) -> None:
        """Call a hook of each copy's callbacks but its scalars, which are summed for all."""
        self._tell(pack)
        self.scalars.hand_out()
        for member in self.members:
            member.call(hook, *arguments, but=Scalars)
