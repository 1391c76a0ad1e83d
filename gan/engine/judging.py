"""A trained discriminator's logits, outside of the game."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan.base.images import pack, to_range
from gan.engine.sampling import evaluating

if TYPE_CHECKING:
    from gan.engine.game import AdversarialModule

BATCH = 250  # judged images at a time


def judge_of(module: "AdversarialModule") -> Callable[[Tensor, Tensor | None], Tensor]:
    """Return a function of uint8 images (N, C, H, W) and labels (N,) or None that gives D's logits on the CPU.

    D is in evaluation mode and sees no augmentation. With `packing` p there are N // p logits, and D of labels that
    reads none ignores them.
    """
    discriminator, packing = module.discriminator, module.recipe.packing

    def judge(images: Tensor, labels: Tensor | None) -> Tensor:
        images = images[: len(images) - len(images) % packing]
        parts = []
        with evaluating(discriminator):
            for start in range(0, len(images), BATCH * packing):
                some = slice(start, start + BATCH * packing)
                seen = pack(to_range(images[some].to(module.device), module.real_range), packing)
                given = None if labels is None else labels[some].to(module.device)
                parts.append(discriminator(seen, given)[:, 0].float().cpu())
        return torch.cat(parts)

    return judge
