"""Writes full checkpoints of the last and the best step, and snapshots of the generator at milestones."""

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from gan.base.errors import whole
from gan.engine.game import AdversarialModule
from gan.runs.callbacks.clock import due, ending, run_directory
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.checkpoint import save_snapshot
from gan.runs.status import phase


class Checkpoints(pl.callbacks.Checkpoint):
    """Writes `checkpoints/last_step_N.ckpt`, `best_step_N.ckpt` and `generator_step_N.safetensors`.

    One last and one best checkpoint are kept. The old one is removed only after the new one is synced to the disk. The
    best is that of the lowest FID on held-out images, which the Evaluation callback measures. The end of training is
    saved before Evaluation's report, since that may fail. Lightning's own ModelCheckpoint does not know the clock.

    Args:
        every_n_steps: number of generator updates between saves of `last`. The end of training is always saved.
        milestones: steps whose generator is kept for ever.
    """

    def __init__(self, every_n_steps: int = 1000, milestones: list[int] | None = None) -> None:
        self.every_n_steps = whole(every_n_steps, "checkpoints.every_n_steps")
        self.milestones = [whole(step, "checkpoints.milestones", least=1) for step in milestones or []]
        self.best_fid = float("inf")
        self._last_saved = -1  # step of `last`; kept in memory, so that all processes decide alike on each save

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the folder to write to. It is the same for every process."""
        self.directory = run_directory(trainer) / "checkpoints"
        self._last_saved = -1
        evaluations = [callback for callback in trainer.callbacks if isinstance(callback, Evaluation)]  # type: ignore[attr-defined]
        self.evaluation = evaluations[0] if evaluations else None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save what is due. Lightning calls checkpoint callbacks last, so the FID is already that of this step."""
        assert isinstance(pl_module, AdversarialModule)
        if trainer.should_stop:  # before Lightning counts an epoch, which a stop leaves in its middle, as processed
            self._save_last(trainer)
        if "generator" not in outputs["updated"]:
            return
        step = trainer.global_step
        if step in self.milestones and trainer.is_global_zero:
            save_snapshot(pl_module, step, self.directory / f"generator_step_{step:07d}.safetensors")
        evaluation = self.evaluation
        if evaluation and due(trainer, outputs, evaluation.every_n_steps) and evaluation.latest_fid < self.best_fid:
            self.best_fid = evaluation.latest_fid
            self._save(trainer, "best")
        if due(trainer, outputs, self.every_n_steps):
            self._save_last(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the end, also after an interruption. Evaluation's report comes later, in `on_train_end`."""
        if ending(trainer):
            self._save_last(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return the best FID so far."""
        return {"best_fid": self.best_fid}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best FID so far."""
        self.best_fid = state_dict["best_fid"]

    def _save_last(self, trainer: pl.Trainer) -> None:
        if trainer.global_step != self._last_saved:
            self._save(trainer, "last")
            self._last_saved = trainer.global_step

    @phase("saving")
    def _save(self, trainer: pl.Trainer, kind: str) -> None:
        path = self.directory / f"{kind}_step_{trainer.global_step:07d}.ckpt"
        part = path.with_suffix(".part")
        if trainer.is_global_zero:
            for stale in self.directory.glob("*.part"):  # left by a crash in the middle of a save
                stale.unlink()
        trainer.save_checkpoint(part)  # all processes must call this
        if trainer.is_global_zero:
            _sync(part)
            os.replace(part, path)
            _sync(self.directory)
            for old in self.directory.glob(f"{kind}_step_*.ckpt"):
                if old != path:
                    old.unlink()


def _sync(path: Path) -> None:
    """Wait until a file, or the list of files in a directory, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
