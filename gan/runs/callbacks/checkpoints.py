"""Writes full checkpoints of the last and the best step, and snapshots of the generator at milestones."""

import io
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO

from gan.base.disk import replacing, writing
from gan.base.errors import whole
from gan.engine.game import AdversarialModule
from gan.runs.callbacks.clock import due, ending, run_directory
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.checkpoint import save_snapshot
from gan.runs.integrity import damage
from gan.runs.reader import Run
from gan.runs.status import phase


class Straight(TorchCheckpointIO):
    """Writes a checkpoint straight to its place. Lightning's own way is through $TMPDIR, which may be full."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the file. The content is made in memory first, since PyTorch does not say what ails a disk."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        Path(path).write_bytes(content.getbuffer())


class Checkpoints(pl.callbacks.Checkpoint):
    """Writes `checkpoints/last_step_N.ckpt`, `best_step_N.ckpt` and `generator_step_N.safetensors`.

    Two last checkpoints and one best are kept. An old one is removed only after the new one is on the disk and was read
    back. The best is that of the best score on held-out images, by default the lowest FID. The end of training is saved
    before Evaluation's report, since that may fail. A disk that cannot be written stops the run.
    Lightning's own ModelCheckpoint does not know the clock.

    Args:
        every_n_steps: number of generator updates between saves of `last`. The end of training is always saved.
        milestones: steps whose generator is kept for ever.
    """

    def __init__(self, every_n_steps: int = 1000, milestones: list[int] | None = None) -> None:
        self.every_n_steps = whole(every_n_steps, "checkpoints.every_n_steps")
        self.milestones = [whole(step, "checkpoints.milestones", least=1) for step in milestones or []]
        self.best = float("inf")  # the loss of the best score
        self._last_saved = -1  # step of `last`; kept in memory, so that all processes decide alike on each save
        self._kept: list[int] = []  # steps of `last` on the disk, without those that a resumed run does again

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the folder to write to. It is the same for every process."""
        self.directory = run_directory(trainer) / "checkpoints"
        self._last_saved = -1
        evaluations = [c for c in trainer.callbacks if isinstance(c, Evaluation)]  # type: ignore[attr-defined]
        self.evaluation = evaluations[0] if evaluations else None
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # no other was asked for
            trainer.strategy.checkpoint_io = Straight()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make the folder, and find the last checkpoints. Those of later steps are damaged, or of an older run."""
        if trainer.is_global_zero:
            self.directory.mkdir(exist_ok=True)
        saved = Run(self.directory.parent).saved("last")
        self._kept = [step for step in saved if step <= trainer.global_step][-2:]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save what is due. Lightning calls checkpoint callbacks last, so the score is already that of this step."""
        assert isinstance(pl_module, AdversarialModule)
        if "generator" in outputs["updated"]:
            self._save_due(trainer, pl_module, outputs)
        if trainer.should_stop:  # before Lightning counts an epoch, which a stop leaves in its middle, as processed
            self._save_last(trainer)

    def _save_due(self, trainer: pl.Trainer, pl_module: AdversarialModule, outputs: Any) -> None:
        step = trainer.global_step
        if step in self.milestones and trainer.is_global_zero:
            save_snapshot(pl_module, step, self.directory / f"generator_step_{step:07d}.safetensors")
        evaluation = self.evaluation
        if evaluation and evaluation.scores(trainer, outputs) and evaluation.latest_loss < self.best:
            self.best = evaluation.latest_loss
            self._save(trainer, "best", [step])
        if due(trainer, outputs, self.every_n_steps):
            self._save_last(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the end, also after an interruption. Evaluation's report comes later, in `on_train_end`."""
        if ending(trainer):
            self._save_last(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score so far. Older checkpoints call it by the only one that there was."""
        self.best = state_dict["best"] if "best" in state_dict else state_dict["best_fid"]

    def _save_last(self, trainer: pl.Trainer) -> None:
        step = trainer.global_step
        if step != self._last_saved:
            self._kept = [*(kept for kept in self._kept if kept != step), step][-2:]
            self._save(trainer, "last", self._kept)
            self._last_saved = step

    @phase("saving")
    def _save(self, trainer: pl.Trainer, kind: str, keep: list[int]) -> None:
        """Write a checkpoint, then remove those of its kind whose steps are not to be kept."""
        path = self.directory / f"{kind}_step_{trainer.global_step:07d}.ckpt"
        if trainer.is_global_zero:
            with writing(self.directory):
                for logger in trainer.loggers:  # what a resumed run will not write again
                    logger.save()
        with replacing(path, damage) if trainer.is_global_zero else nullcontext(path) as part:
            trainer.save_checkpoint(part)  # all processes must call this
        if trainer.is_global_zero:
            old = [file for step, file in Run(self.directory.parent).saved(kind).items() if step not in keep]
            for file in [*old, *self.directory.glob("*.part")]:  # the latter by a crash in the middle of a save
                file.unlink()
