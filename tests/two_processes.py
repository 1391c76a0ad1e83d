"""One of two processes that train every variant, tiny, through gloo: `python two_processes.py FOLDER`.

Each writes to FOLDER/rank<r>.pt what it drew, saw and became. Both then train by `gan fit`, launched as by torchrun.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from run_support import DATA, QUIET, SMALL, TINY, gan, statistics_once
from support import EVERY, tiny
from torch import distributed

from gan.base.processes import on_every_rank
from gan.data.datamodule import ImageDataModule
from gan.measure.measurement import Measurement
from gan.parts.networks import dropout

MEASURES: dict[str, dict] = {name: {} for name in ("frechet", "kernel", "neighbours", "classes", "variety", "patches")}
FAKES = 1100  # two blocks for the first process and one for the second, which is cut
TOGETHER = {  # rules that have two backward passes, second derivatives, random numbers or more weights
    "loss": "relativistic_pairing",
    "updates": "simultaneous",
    "discriminator": {"norm": "none", "minibatch_stddev": True},
    "discriminator_penalties": {"gradient_penalty": 1.0, "r1": {"weight": 1.0, "interval": 2}},
    "augmentations": {"translation": {}, "instance_noise": {"std": 0.1}},
    "packing": 2,
    "ema_decay": 0.9,
}
DROPPED = {"discriminator": {"dropout": 0.3}}
CASES = {name: (name, {}) for name in EVERY} | {"together": ("DCGAN", TOGETHER), "dropped": ("MLPGAN", DROPPED)}
MEASURED = ("MLPGAN", "ConditionalGAN", "FullResolutionDCGAN")  # plain, with labels, with batch statistics
FLAGS = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.devices=2", "--trainer.accelerator=cpu")


class Watch(pl.Callback):
    """What this process drew and saw, the gradients before every update, and the weights after every batch."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {"latents": [], "masks": [], "images": [], "gradients": []}
        self.told |= {"weights": [], "buffers": []}

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.told["before"] = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        draw = module.draw

        def drawn(num: int) -> torch.Tensor:
            self.told["latents"].append(draw(num))
            return self.told["latents"][-1]

        module.draw = drawn

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        grads = {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
        self.told["gradients"].append(grads)

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.told["images"].append([tensor.clone() for tensor in batch])
        self.told["weights"].append({name: p.detach().clone() for name, p in module.named_parameters()})
        self.told["buffers"].append({name: b.clone() for name, b in module.named_buffers()})
        # what torch's own dropout would draw now
        self.told["global"] = torch.rand(3, generator=torch.Generator().set_state(torch.get_rng_state()))


def trained(module: Any, data: Any, **settings: Any) -> dict[str, Any]:
    """What a process saw in two updates of a module."""
    watch, mask = Watch(), dropout.drop_mask

    def masked(*arguments: Any) -> torch.Tensor:
        watch.told["masks"].append(mask(*arguments))
        return watch.told["masks"][-1]

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with patch.object(dropout, "drop_mask", masked):
        trainer = pl.Trainer(
            **quiet, max_steps=2, max_epochs=-1, accelerator="cpu", enable_model_summary=False, callbacks=[watch],
            **settings,
        )  # fmt: skip
        trainer.fit(module, datamodule=data)
    watch.told["step"] = trainer.global_step
    return watch.told


def measured(module: Any, measurement: Measurement) -> list[dict[str, Any]]:
    """The rows of one process, and those of two."""
    sampler, rank = module.sampler(), distributed.get_rank()
    fakes = measurement.fakes(sampler, rank=rank, world_size=2)
    return [_together(measurement(sampler)), _together(measurement.rows(sampler, fakes))]


def _together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The values of all measures."""
    return {f"{row['metric']} {name}": value for row in rows for name, value in row.items()}


def failing() -> None:
    """Fails on the first process alone."""
    if distributed.get_rank() == 0:
        raise OSError("no space left")


def refusal(make: Any) -> str:
    try:
        on_every_rank(make)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def run(*words: str) -> None:
    """A command that must end well."""
    os.environ["WORLD_SIZE"] = "2"  # Lightning removes it at the end of a training
    code = gan(*words)
    assert code == 0, words


def laws(folder: Path) -> None:
    """Train every case, measure some, and write what was seen."""
    data, together = ImageDataModule(source="embedded"), {"devices": 2, "strategy": "ddp_find_unused_parameters_true"}
    modules = {case: tiny(variant, change) for case, (variant, change) in CASES.items()}
    told = {case: trained(module, data, **together) for case, module in modules.items()}
    measurement = Measurement(data.loaded, "selection", FAKES, trained_on=data.loaded.train, measures=MEASURES)
    rows = {case: measured(modules[case], measurement) for case in MEASURED}
    path = folder / f"rank{distributed.get_rank()}.pt"
    torch.save({"told": told, "rows": rows, "failed": refusal(failing)}, path)


def commands(folder: Path) -> None:
    """Train at once, and in two parts, by the real commands."""
    evaluation = ("--evaluation.every_n_steps=2", "--evaluation.num_samples=20", "--image_grid.every_n_steps=5")
    run("fit", *FLAGS, *evaluation, "--trainer.max_steps=5", f"--run={folder / 'whole'}")
    run("fit", *FLAGS, *evaluation, "--trainer.max_steps=3", f"--run={folder / 'parts'}")
    run("resume", str(folder / "parts"), "--trainer.max_steps=5")


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rank_zero_only.rank = int(os.environ["RANK"])  # it may have been imported before the rank was known
    with statistics_once():
        laws(Path(sys.argv[1]))
        commands(Path(sys.argv[1]))
