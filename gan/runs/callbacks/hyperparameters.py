"""Shows the recipe in TensorBoard's HPARAMS tab, beside the final metrics of the run."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import FileWriter

from gan.engine.game import AdversarialModule


class Hyperparameters(pl.Callback):
    """Writes the run's recipe as a session of the HPARAMS tab.

    No experiment summary is written. The tab would use one run's summary for all runs, and hide values that this run
    lacks. Without a summary it collects hyperparameters and metrics from every run, and shows each scalar's last value.
    The tab shows the first end of a resumed run.

    Args:
        killed: when a run that is resumed was killed, in seconds since 1970. The end of that session is written then.
    """

    def __init__(self, killed: float | None = None) -> None:
        self.killed, self._started = killed, False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the start of the session. Its metrics are the run's scalars, which the tab finds by itself."""
        assert isinstance(pl_module, AdversarialModule)
        if self.killed is not None:
            _write(trainer, _session_end(api_pb2.STATUS_FAILURE, self.killed))
        values: dict[str, Any] = {"variant": type(pl_module).__name__, "seed": pl_module.run_seed}
        data = getattr(trainer, "datamodule", None)
        if data is not None:
            values |= {"data": data.loaded.name, "source": data.loaded.source}
        values |= {f"seeds.{name}": seed for name, seed in pl_module.seeds.to_dict().items()}
        values |= dict(flatten(pl_module.recipe.to_dict()))
        _, session_start, _ = hparams(values, {})
        _write(trainer, session_start)
        self._started = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write that the session succeeded."""
        self._end(trainer, api_pb2.STATUS_SUCCESS)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Write that the session failed."""
        self._end(trainer, api_pb2.STATUS_FAILURE)

    def _end(self, trainer: pl.Trainer, status: int) -> None:
        if self._started:
            self._started = False
            _write(trainer, _session_end(status, time.time()))


def _write(trainer: pl.Trainer, summary: Summary) -> None:
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
            logger.experiment._get_file_writer().add_summary(summary)


def end_session(directory: Path, when: float) -> None:
    """Write that the session of a run that is not trained any more succeeded, at a time in seconds since 1970."""
    if any(directory.glob("events.out.tfevents.*")):
        writer = FileWriter(str(directory))
        writer.add_summary(_session_end(api_pb2.STATUS_SUCCESS, when))
        writer.close()


def _session_end(status: int, when: float) -> Summary:
    """Return a session's end. TensorBoard's `session_end_pb` needs TensorFlow; torch's `hparams` knows only success."""
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=when)
    content = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    return Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=content)])


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
