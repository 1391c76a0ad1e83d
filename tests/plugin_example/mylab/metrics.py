"""A metric: a callback that draws samples on the generator's clock and writes a number."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor
from torch.nn.functional import pdist

from gan.base.errors import whole
from gan.runs.callbacks.clock import due, write


class Diversity(pl.Callback):
    """`metric/diversity`: mean distance of two samples, over that of two held-out images; 0 where G has collapsed.

    Args:
        every_n_steps: generator updates; 0 turns it off.
        num_samples: samples, and held-out images at most.
    """

    def __init__(self, every_n_steps: int = 500, num_samples: int = 200) -> None:
        self.every_n_steps = whole(every_n_steps, "Diversity.every_n_steps")
        self.num_samples = whole(num_samples, "Diversity.num_samples", least=2)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure, when due."""
        if due(trainer, outputs, self.every_n_steps) and trainer.is_global_zero:
            # A noise stream of its own: a run with and without this metric ends in the same weights.
            fakes = pl_module.sampler().sample(self.num_samples, purpose="diversity")
            real = trainer.datamodule.loaded.held_out.images[: self.num_samples]
            write(trainer, {"metric/diversity": spread(fakes) / spread(real)})


def spread(images: Tensor) -> float:
    """Mean Euclidean distance of two of the images, uint8 (N, C, H, W), in units of 1/255."""
    return float(pdist(images.flatten(1).float()).mean())
