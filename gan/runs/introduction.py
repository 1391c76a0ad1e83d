"""Says in a few lines, before the first step, what is trained, on what, and how."""

from pathlib import Path

import pytorch_lightning as pl
import torch

from gan.base.notes import say
from gan.data.datamodule import ImageDataModule
from gan.engine.game import AdversarialModule
from gan.engine.players import PLAYERS
from gan.runs.computing import Computing


def introduce(
    trainer: pl.Trainer,
    module: AdversarialModule,
    data: ImageDataModule,
    computing: Computing,
    directory: Path,
) -> None:
    """Print the run's directory, data, networks and device."""
    loaded, shape = data.loaded, "x".join(map(str, data.image_shape))
    counts = [sum(p.numel() for p in module.players[name].parameters()) for name in reversed(PLAYERS)]
    threads, precision = computing
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    several = f"{trainer.world_size} processes of " if trainer.world_size > 1 else ""
    unit = "thread" if threads.number == 1 else "threads"
    say(f"run       {directory}")
    say(f"data      {loaded.name}, {loaded.source}: {len(loaded.train):,} images of {shape} to train on")
    say(
        f"networks  {type(module).__name__}: D {counts[0]:,} parameters, G {counts[1]:,}; "
        f"batches of {module.recipe.batch_size}"
    )
    why = f" ({precision.why})" if precision.why.startswith("auto") else ""
    say(f"computes  on {name}, {several}{threads.number} {unit} ({threads.why}), precision {trainer.precision}{why}")
