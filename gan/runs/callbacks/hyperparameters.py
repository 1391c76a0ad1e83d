"""Tells every logger the recipe. TensorBoard shows it in its HPARAMS tab, beside the final metrics of the run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

from gan.engine.game import AdversarialModule
from gan.runs.differences import about
from gan.runs.session import reopen_session


class Hyperparameters(pl.Callback):
    """Gives the run's recipe to its loggers. For TensorBoard it is a session, whose end `gan.runs.session` writes.

    No experiment summary is written. The tab would use one run's summary for all runs, and hide values that this run
    lacks. Without a summary it collects hyperparameters and metrics from every run, and shows each scalar's last value.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the start of the session. Its metrics are the run's scalars, which the tab finds by itself."""
        assert isinstance(pl_module, AdversarialModule)
        values: dict[str, Any] = {"variant": type(pl_module).__name__, "seed": pl_module.run_seed}
        data = getattr(trainer, "datamodule", None)
        if data is not None:
            values |= {"data": data.loaded.name, "source": data.loaded.source}
        known = about(pl_module)
        values |= {"digest": known["recipe"], "differs": json.dumps(known["differs"])}
        values |= {f"seeds.{name}": seed for name, seed in pl_module.seeds.to_dict().items()}
        values |= dict(flatten(pl_module.recipe.to_dict()))
        _, session_start, _ = hparams(values, {})
        for logger in trainer.loggers if trainer.is_global_zero else ():
            if isinstance(logger, TensorBoardLogger):
                reopen_session(Path(logger.log_dir))
                logger.experiment._get_file_writer().add_summary(session_start)
            else:
                logger.log_hyperparams(values)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested values as (`a.b.c`, number, string or boolean). The value of `a.name` stands under `a`."""
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
