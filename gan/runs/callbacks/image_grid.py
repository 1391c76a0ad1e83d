"""Writes grids of samples, from the same noise through the whole run, and one grid of real images."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from gan.base.disk import replacing, writing
from gan.base.errors import whole
from gan.base.images import grid, write_png
from gan.engine.game import AdversarialModule
from gan.runs.callbacks.clock import due, run_directory, stopped

MAX_IMAGES = 10_000  # of a grid, which is one picture


class ImageGrid(pl.Callback):
    """Writes samples from fixed noise to the loggers and to `samples/step_N.png`, every N generator updates.

    Runs of the same prior and latent dimension have the same noise, so that they compare tile by tile. With ten classes
    a conditional generator draws one class in each column. The tag is `samples/ema` for averaged weights, which are
    drawn if there are any, and `samples/raw` otherwise.

    Args:
        every_n_steps: generator updates between grids; 0 turns them off.
        num_images: number of samples in a grid.
    """

    def __init__(self, every_n_steps: int = 1000, num_images: int = 100) -> None:
        self.every_n_steps = whole(every_n_steps, "image_grid.every_n_steps")
        self.num_images = whole(num_images, "image_grid.num_images", least=1, most=MAX_IMAGES)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the folder to write to. It is the same for every process."""
        self.directory = run_directory(trainer) / "samples"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make the folder. In a new run, write real images and samples of the untrained generator."""
        assert isinstance(pl_module, AdversarialModule)
        if not self.every_n_steps or not trainer.is_global_zero:
            return
        self.directory.mkdir(exist_ok=True)
        data = getattr(trainer, "datamodule", None)
        if pl_module.images_seen == 0:
            if data is not None:
                self._write(trainer, "samples/real", data.loaded.train.images[: self.num_images].cpu(), "real.png")
            self._write_samples(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write samples when they are due."""
        if due(trainer, outputs, self.every_n_steps) and trainer.is_global_zero:
            self._write_samples(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write samples of the last step, if they were not due there. A run that is stopped earlier has none."""
        if not self.every_n_steps or stopped(trainer) or not trainer.is_global_zero:
            return
        if trainer.global_step % self.every_n_steps:
            self._write_samples(trainer, pl_module)

    def _write_samples(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, AdversarialModule)
        sampler = module.sampler()
        images = sampler.sample(self.num_images, purpose="image grid")
        self._write(trainer, f"samples/{sampler.weights}", images, f"step_{trainer.global_step:07d}.png")

    def _write(self, trainer: pl.Trainer, tag: str, images: Tensor, name: str) -> None:
        picture = grid(images)
        with writing(self.directory / name):
            with replacing(self.directory / name) as part:
                write_png(picture, part)
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_image(tag, picture, trainer.global_step)
                elif hasattr(logger, "log_image"):  # WandbLogger and its like
                    logger.log_image(tag, [picture.cpu().permute(1, 2, 0).numpy()], trainer.global_step)
