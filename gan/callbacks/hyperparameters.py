"""The recipe in TensorBoard's HPARAMS tab, beside the final metrics of the run."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

from gan.module import AdversarialModule


class Hyperparameters(pl.Callback):
    """Writes the run's recipe as a session of the HPARAMS tab.

    No experiment summary is written: the tab would take one run's for all and hide the values that this run lacks.
    Without one it collects hyperparameters and metrics from every run, and shows each scalar's last value.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the session; its metrics are the run's scalars, which the tab reads by itself."""
        assert isinstance(pl_module, AdversarialModule)
        values: dict[str, Any] = {"variant": type(pl_module).__name__, "seed": pl_module.run_seed}
        data = getattr(trainer, "datamodule", None)
        if data is not None:
            values |= {"data": data.loaded.name, "source": data.loaded.source}
        values |= dict(flatten(pl_module.recipe.to_dict()))
        _, session_start, session_end = hparams(values, {})
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                for summary in (session_start, session_end):
                    logger.experiment._get_file_writer().add_summary(summary)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested values as `a.b.c` with numbers, strings and booleans; `name` stands for the choice that it names."""
    items: list[tuple[str, Any]] = []
    for key, value in tree.items():
        path = (prefix if key == "name" else f"{prefix}.{key}").strip(".")
        if isinstance(value, Mapping):
            items += flatten(value, path)
        elif isinstance(value, bool | int | float | str):
            items.append((path, value))
        elif value is not None:
            items.append((path, str(value)))
    return items
