"""Grids of samples from the same noise through the whole run, and of real images beside them."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from gan.base.errors import whole
from gan.base.images import grid, write_png
from gan.engine.game import AdversarialModule
from gan.runs.callbacks.clock import due, run_directory


class ImageGrid(pl.Callback):
    """Every N generator updates: `num_images` samples from fixed noise to the loggers and to `samples/step_N.png`.

    The noise is the same in every run of a prior and latent dimension, so that runs compare tile by tile. A conditional
    generator draws one of ten classes in each column. Averaged weights, where there are, go to `samples/ema`.
    """

    def __init__(self, every_n_steps: int = 1000, num_images: int = 100) -> None:
        self.every_n_steps = whole(every_n_steps, "image_grid.every_n_steps")
        self.num_images = whole(num_images, "image_grid.num_images", least=1)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Where to write; the same on every process."""
        self.directory = run_directory(trainer) / "samples"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Real images and, in a new run, samples of the untrained generator."""
        data = getattr(trainer, "datamodule", None)
        if self.every_n_steps and trainer.is_global_zero and trainer.global_step == 0:
            if data is not None:
                self._write(trainer, "samples/real", data.loaded.train.images[: self.num_images].cpu(), "real.png")
            self._write_samples(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Samples, when due."""
        if due(trainer, outputs, self.every_n_steps) and trainer.is_global_zero:
            self._write_samples(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Samples of the last step, if it was not due."""
        if self.every_n_steps and trainer.global_step % self.every_n_steps and trainer.is_global_zero:
            self._write_samples(trainer, pl_module)

    def _write_samples(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, AdversarialModule)
        sampler = module.sampler()
        images = sampler.sample(self.num_images, purpose="image grid")
        self._write(trainer, f"samples/{sampler.weights}", images, f"step_{trainer.global_step:07d}.png")

    def _write(self, trainer: pl.Trainer, tag: str, images: Tensor, name: str) -> None:
        picture = grid(images)
        write_png(picture, self.directory / name)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(tag, picture, trainer.global_step)
            elif hasattr(logger, "log_image"):  # WandbLogger and its like
                logger.log_image(tag, [picture.cpu().permute(1, 2, 0).numpy()], trainer.global_step)
