"""What of Lightning does not work with a run, though its Trainer takes it: refused before a directory is made."""

import netrc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytorch_lightning as pl
from pytorch_lightning import callbacks
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.plugins import AsyncCheckpointIO
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.profilers import PassThroughProfiler

from gan.base.errors import UserError

OWN = "or a callback of your own that sets trainer.should_stop"
RATES = "a network's rate and its schedule are fields of the recipe"
CLOCK = "it writes at batches, not on the generator's clock"
UNUSABLE = {  # class -> why, or what to do instead; so it is with classes made from it
    callbacks.EarlyStopping: f"it looks at ends of epochs, and at losses that do not say it; give max_steps, {OWN}",
    callbacks.Timer: "give trainer.max_time, which a resumed run has anew",
    callbacks.WeightAveraging: "give recipe.ema_decay",
    callbacks.StochasticWeightAveraging: "give recipe.ema_decay",
    callbacks.GradientAccumulationScheduler: "two networks take turns, so that a batch is an update; give batch_size",
    callbacks.LearningRateFinder: f"it tries one network; {RATES}",
    callbacks.BatchSizeFinder: "it tries one network; give recipe.batch_size",
    callbacks.BaseFinetuning: "it freezes parts of one network",
    callbacks.DeviceStatsMonitor: f"{CLOCK}; scalars have the throughput",
    callbacks.LearningRateMonitor: f"{CLOCK}; scalars have schedule/lr_generator and schedule/lr_discriminator",
    callbacks.ThroughputMonitor: f"{CLOCK}; scalars have the throughput",
    callbacks.SpikeDetection: "it watches one loss, and there are two",
    AsyncCheckpointIO: "a checkpoint counts when it is on the disk; remove it",
}


def refuse_unusable(arguments: Mapping[str, Any]) -> None:
    """Raise UserError for the first object of the Trainer's arguments that a run cannot use."""
    if arguments.get("profiler") == "xla":  # its object would be noisy where torch_xla is missing
        raise UserError("trainer.profiler: xla is for TPUs, which a run does not use; give simple, advanced or pytorch")
    for key in ("callbacks", "plugins", "logger"):
        value = arguments.get(key)
        for item in value if isinstance(value, list) else [value]:
            name = type(item).__name__
            for kind, advice in UNUSABLE.items():
                if isinstance(item, kind):
                    raise UserError(f"trainer.{key}: {name} does not work here: {advice}")
            if isinstance(item, WandbLogger) and not _may_log_in(item):
                advice = "set WANDB_API_KEY, call wandb login, or give {offline: true}"
                raise UserError(f"trainer.{key}: {name} has no key to log in with; {advice}")


def _may_log_in(logger: WandbLogger) -> bool:
    """Return whether W&B needs no key, or finds one."""
    quiet = logger._offline or os.environ.get("WANDB_MODE", "online") not in ("online", "shared")
    if quiet or {"WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"} & os.environ.keys():
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def leave_to_the_run(trainer: pl.Trainer, directory: Path) -> None:
    """Give a profiler a file in the run for its report, and take the requeueing of SLURM jobs from Lightning.

    Without a file a profiler would print its report to a log that is not shown. `scripts/slurm.sh` requeues.
    """
    profiler = trainer.profiler  # type: ignore[attr-defined]
    if profiler.filename is None and not isinstance(profiler, PassThroughProfiler):
        profiler.dirpath, profiler.filename = directory, "profile"
    environment = getattr(trainer.strategy, "cluster_environment", None)
    if isinstance(environment, SLURMEnvironment):
        environment.auto_requeue = False
