"""What of Lightning does not work with a run, though its Trainer takes it: refused before a directory is made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import callbacks
from pytorch_lightning.plugins.environments import SLURMEnvironment

from gan.base.errors import UserError

UNUSABLE = {
    callbacks.Timer: "give --trainer.max_time, which a resumed run has anew",
}


def refuse_unusable(arguments: Mapping[str, Any]) -> None:
    """Raise UserError for the first object of the Trainer's arguments that a run cannot use."""
    for key in ("callbacks", "plugins", "profiler", "logger"):
        value = arguments.get(key)
        for item in value if isinstance(value, list) else [value]:
            for kind, advice in UNUSABLE.items():
                if isinstance(item, kind):
                    raise UserError(f"trainer.{key}: {type(item).__name__} does not work here; {advice}")


def leave_to_the_run(trainer: pl.Trainer, directory: Path) -> None:
    """Give a profiler a file in the run for its report, and take the requeueing of SLURM jobs from Lightning.

    Without a file a profiler would print its report to a log that is not shown. Only `scripts/slurm.sh` requeues.
    """
    profiler = trainer.profiler  # type: ignore[attr-defined]
    if profiler.filename is None:
        profiler.dirpath, profiler.filename = directory, "profile"
    environment = getattr(trainer.strategy, "cluster_environment", None)
    if isinstance(environment, SLURMEnvironment):
        environment.auto_requeue = False
