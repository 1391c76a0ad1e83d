"""What the tests of the variants' pages share."""

from pathlib import Path
from typing import Any

import torch
from run_support import gan, rows
from support import Digits, Recorder, train
from torch import Tensor

from gan.engine.game import AdversarialModule


def first_outputs(
    module: AdversarialModule, every_output: bool = False, scale: float = 1.0, shift: int = 0
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """D's outputs on the first real and fake batch as the step saw them, and what it returned.

    `scale` multiplies the real images, `shift` moves their labels. The fakes' latent is left at the module.
    """
    seen: list[Tensor] = []
    latents: list[Tensor] = []
    module.discriminator.register_forward_hook(lambda network, inputs, outputs: seen.append(outputs.detach().clone()))
    module.generator.register_forward_pre_hook(lambda network, inputs: latents.append(inputs[0]))
    batches, record = Digits(8, batches=1), Recorder()
    batches.images = (batches.images.float() / 255 * scale).float()
    batches.labels = (batches.labels + shift) % 10
    torch.manual_seed(1)
    train(module, 1, record, batches=batches)
    module.latent_of_the_first_fakes = latents[0]
    real, fake = (seen[0][:8], seen[0][8:]) if len(seen[0]) == 16 else (seen[0], seen[1])
    return (real, fake, record.outputs[0]) if every_output else (real[:, :1], fake[:, :1], record.outputs[0])


def short_conditional_run(directory: Path, variant: str, *words: str) -> dict[str, Any]:
    """The last measurement of a variant with the quickstart's values, after 500 updates of 128 images.

    As many images as of the table of docs/results/README.md, in which the variants' own values learn more slowly.
    """
    run = directory / "run"
    short = ("--data.source=embedded", "--model.recipe.batch_size=128", "--trainer.max_steps=500")
    quiet = ("--evaluation.every_n_steps=500", "--image_grid.every_n_steps=0", "--scalars.every_n_steps=500")
    assert gan("fit", "--config=quickstart", f"--model={variant}", *short, *quiet, *words, f"--run={run}") == 0
    return rows(run)[-1]
