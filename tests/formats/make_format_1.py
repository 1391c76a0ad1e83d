"""Runs of format 1: as this package wrote them while its files bore no number of their format.

    git worktree add ../format_1 dd00f76
    OMP_NUM_THREADS=1 PYTHONPATH=../format_1 python tests/formats/make_format_1.py

trains tiny systems with that commit's own `gan fit` and puts their files into format_1/NAME beside this script. What
the commit itself makes of each run stands in its expected.npz: `images`, that are sampled from it with seed 3
(`snapshot_images`, from its snapshot), and the weights `resumed/…` that it reaches when it is resumed up to the
generator's update number `resumed_step`.
"""

import contextlib
import json
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import gan
from gan.cli import main

COMMIT = "dd00f763bbb3680f70f505d4b3e2133232658ca2"
PLACE = Path(__file__).with_name("format_1")
STEPS, FURTHER = 5, 3  # generator updates of each run, and those that it is resumed for
KEPT = ("config.yaml", "provenance.json", "metrics.jsonl", "checkpoints/*")
QUIET = "--evaluation.every_n_steps=0 --image_grid.every_n_steps=0 --scalars.every_n_steps=0"
FLAGS = f"--data.source=embedded --trainer.accelerator=cpu --trainer.enable_progress_bar=false {QUIET}"
# Tiny, and with weights so large that samples differ and a few updates show.
MLP = (
    "generator.widths=[8] discriminator.widths=[8] latent_dim=4 batch_size=8 "
    "generator_weights.bound=0.5 discriminator_weights.bound=0.1"
)
DCGAN = (
    "generator.channels=[4,4] discriminator.channels=[4,4] latent_dim=4 batch_size=8 "
    "generator_weights.std=0.3 discriminator_weights.std=0.3"
)

# Name: variant, diff of its recipe, other flags.
RUNS = {
    # Schedules that were removed stand as nulls, the other values of D's Adam stand nowhere.
    "plain": (
        "MLPGAN",
        f"{MLP} 'discriminator_optimizer={{name: adam, lr: 1e-3}}' "
        "generator_schedules.momentum=null discriminator_schedules.momentum=null",
        "",
    ),
    "conditional": (
        "ConditionalGAN",
        f"{DCGAN} pretraining=2 'discriminator_optimizer={{name: momentum_sgd, lr: 0.01}}'",
        "--trainer.logger=false",
    ),
    # A best checkpoint, a snapshot and rows of measurements; an augmentation without its parameters.
    "averaged": (
        "DCGAN",
        f"{DCGAN} discriminator.norm=spectral ema_decay=0.9 augmentations.translation={{}} "
        "discriminator_penalties.r1.weight=1 discriminator_penalties.r1.interval=2",
        "--trainer.logger=false --checkpoints.milestones=[3] --evaluation.every_n_steps=2 --evaluation.num_samples=50",
    ),
    # An odd number of generator updates ends between the two of a round, which share their noise.
    "mid_round": ("MLPGAN", f"{MLP} d_steps=3 g_steps=2", "--trainer.logger=false"),
    # Dropout, one step count for both optimizers, and a code that D reads back. Biases before batch norm have gradients
    # of rounding alone, which Adam's own epsilon would let through.
    "coded": (
        "FullResolutionDCGAN",
        "generator.channels=[2,2,2] discriminator.channels=[2,2,2,2] latent_dim=4 batch_size=8 "
        "generator_optimizer.epsilon=1e-4 discriminator_optimizer.epsilon=1e-4 "
        "'prior={name: coded, categories: 2, continuous: 1}' 'auxiliary={name: code, categories: 2, continuous: 1}'",
        "--trainer.logger=false",
    ),
}


def command(*words: str) -> None:
    """Run `gan` in this process."""
    sys.argv = ["gan", *words]  # what provenance.json will say
    code: object = None
    try:
        main(words)
    except SystemExit as stop:
        code = stop.code
    assert code == 0, f"exit code {code}: gan {' '.join(words)}"


def fit(name: str) -> None:
    """Train one run in the working directory, and refuse what another commit made."""
    variant, diff, flags = RUNS[name]
    recipe = [f"--model.recipe.{change}" for change in shlex.split(diff)]
    command("fit", f"--model={variant}", *recipe, *FLAGS.split(), *flags.split(), *last_step(STEPS), f"--run={name}")
    commit = json.loads(Path(name, "provenance.json").read_text())[0]["repositories"]["gan"]["commit"]
    assert commit == COMMIT, f"gan is that of {commit}: {gan.__file__}"


def last_step(step: int) -> list[str]:
    """The flag that ends a run there."""
    return [f"--trainer.max_steps={step}"]


def resumed(name: str) -> dict[str, np.ndarray]:
    """The weights of a run that went on, and their step; the run itself stays as it is."""
    shutil.copytree(name, "resumed")
    command("resume", "resumed", *last_step(STEPS + FURTHER), *QUIET.split())
    content = torch.load(f"resumed/checkpoints/last_step_{STEPS + FURTHER:07d}.ckpt", weights_only=True)
    shutil.rmtree("resumed")
    weights = {f"resumed/{key}": tensor.numpy() for key, tensor in content["state_dict"].items()}
    return {"resumed_step": np.array(content["global_step"]), **weights}


def make(name: str) -> None:
    """One run, and what is expected of it."""
    fit(name)
    expected = {"images": gan.load(name).sample(8, seed=3).numpy()}
    for snapshot in Path(name, "checkpoints").glob("*.safetensors"):
        expected["snapshot_images"] = gan.load(snapshot).sample(8, seed=3).numpy()
    expected |= resumed(name)
    shutil.rmtree(PLACE / name, ignore_errors=True)
    for file in (file for pattern in KEPT for file in Path(name).glob(pattern)):
        (PLACE / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, PLACE / file)
    np.savez_compressed(PLACE / name / "expected.npz", **expected)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        for name in RUNS:
            make(name)
