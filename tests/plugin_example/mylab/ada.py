"""ADA: augmentations with a probability that follows how far D overfits (Karras et al., 2020)."""

from typing import Any

import torch
from torch import Tensor

from gan.base.errors import UserError
from gan.engine.game import AdversarialModule
from gan.engine.look import Outcome
from gan.variants.dcgan import DCGAN


class ADA(AdversarialModule):
    """DCGAN that augments each image D sees with probability p, so that D sees augmented data only as often as needed.

    r = E[sign(D(x))] over real images tells how surely D knows them. Every `interval` D updates p rises by a step where
    the mean r is above `target`, and falls by one where it is below (Karras et al., 2020, eq. 1 and sec. 3.1). p would
    go from 0 to 1 in `images` images. Ours: the recipe's augmentations, not the paper's pipeline of 18.
    """

    target, interval, images = 0.6, 4, 500_000
    defaults = DCGAN.defaults.merged({"augmentations": {"translation": {}, "cutout": {"ratio": 0.3}}})

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        if self.loss.boundary is None:
            raise UserError("recipe.loss: ADA asks how many real images D takes for real, which this loss does not say")
        self.register_buffer("probability", torch.zeros(()))  # buffers are saved and resumed
        self.register_buffer("sureness", torch.zeros(()))  # the sum of r since p last moved

    def augment(self, images: Tensor) -> Tensor:
        """Each image is augmented with probability p."""
        noise = self.streams.noise
        chosen = torch.rand((len(images), 1, 1, 1), generator=noise, device=noise.device).to(images.device)
        return torch.where(chosen < self.probability, super().augment(images), images)

    def after_step(self, outcome: Outcome) -> None:
        """Count how surely D knew the real images, over all processes, and move p when it is due."""
        if "discriminator" not in outcome["updated"]:
            return
        r = 2 * outcome["scalars"]["accuracy/real"] - 1
        self.sureness += self.trainer.strategy.reduce(r, reduce_op="mean")
        if self.players["discriminator"].updates % self.interval == 0:
            step = self.recipe.batch_size * self.interval / self.images
            self.probability += step * torch.sign(self.sureness / self.interval - self.target)
            self.probability.clamp_(0, 1)
            self.sureness.zero_()
