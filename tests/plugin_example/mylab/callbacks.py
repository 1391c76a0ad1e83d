"""A callback of the user's own, for `trainer.callbacks`."""

import pytorch_lightning as pl


class Greeting(pl.Callback):
    """Says hello when training starts."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say it."""
        print(f"hello from mylab at step {trainer.global_step}")
