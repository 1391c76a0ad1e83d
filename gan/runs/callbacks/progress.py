"""Shows one live line: the number of generator updates, losses and FID."""

import sys
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.rows import title_of

LOSSES = {"loss/discriminator": "D", "loss/generator": "G"}


class Progress(pl.callbacks.ProgressBar):
    """A bar over `max_steps` generator updates. Lightning's own would start again with each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True

    def disable(self) -> None:
        """Turn the bar off. Lightning calls this on all processes but the first."""
        self._enabled = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the step where the run stands."""
        total = trainer.max_steps if trainer.max_steps > 0 else None
        self._bar = tqdm(
            total=total,
            initial=trainer.global_step,
            unit="step",
            disable=not self._enabled,
            file=sys.stderr,
            mininterval=0.5 if sys.stderr.isatty() else 30,  # a log file gets a line every half minute
            dynamic_ncols=True,
        )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar. It shows the values that were last written to the loggers."""
        if "generator" in outputs["updated"] and self._bar.update(1):
            metrics = trainer.callback_metrics
            tags = LOSSES | self._score(trainer)
            shown = {name: f"{float(metrics[tag]):.3g}" for tag, name in tags.items() if tag in metrics}
            self._bar.set_postfix(shown, refresh=False)

    def _score(self, trainer: pl.Trainer) -> dict[str, str]:
        """Return the tags of the score that was measured last, and of its floor."""
        evaluation = next((c for c in trainer.callbacks if isinstance(c, Evaluation)), None)  # type: ignore[attr-defined]
        if evaluation is None or not evaluation.rows:
            return {}
        row = evaluation.rows[-1]
        tag = f"metric{'_ema' if row['weights'] == 'ema' else ''}/{row['score']}"
        return {tag: title_of(row["score"]), f"{tag}_floor": "floor"}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar."""
        self._bar.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Close the bar, so that the error starts on a line of its own."""
        if hasattr(self, "_bar"):
            self._bar.close()
