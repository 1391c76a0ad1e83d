"""Says at the start that a model is too small to gain from several processes."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from gan.base.images import pack
from gan.base.notes import say
from gan.engine.game import AdversarialModule
from gan.engine.sampling import evaluating

ENOUGH = 1e9  # FLOP; measured with two processes on two CPU cores: docs/running.md, Several processes


def forward_flop(module: AdversarialModule) -> float:
    """Return the number of operations of a step's forward passes: G and D, once, over the batch of all processes."""
    packing = module.recipe.packing
    num = 2 * packing
    latent, labels = module.prior((num, module.recipe.latent_dim), torch.Generator()), torch.zeros(num).long()
    with evaluating(module), FlopCounterMode(display=False) as counter:
        module.judge(pack(module.generator(latent, labels), packing), labels)
    return counter.get_total_flops() / num * module.recipe.batch_size


def say_if_too_small(module: AdversarialModule) -> None:
    """Say so in a line. Networks from elsewhere that need further inputs are not counted."""
    try:
        flop = forward_flop(module)
    except Exception:
        return
    if flop < ENOUGH:
        say(
            f"note: G and D need {flop / 1e9:.2g} GFLOP for a batch; below {ENOUGH / 1e9:.0f} GFLOP several processes "
            "are hardly faster than one (docs/running.md, Several processes)"
        )
