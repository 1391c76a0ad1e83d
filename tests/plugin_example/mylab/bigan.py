"""BiGAN: an encoder beside G, and a D that judges pairs of image and code (Donahue et al., 2017)."""

from typing import Any

import torch
from torch import Tensor, nn

from gan.engine.game import AdversarialModule
from gan.engine.look import Judged, Look
from gan.variants.dcgan import DCGAN


class Encoder(nn.Module):
    """Images (N, C, H, W) -> codes (N, latent_dim) in [-1, 1], the range of the prior's noise."""

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int, features: int = 64) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.layers = nn.Sequential(
            nn.Conv2d(channels, features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(features * (height // 2) * (width // 2), latent_dim),
            nn.Tanh(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, latent_dim)."""
        return self.layers(images)


class PairDiscriminator(nn.Module):
    """An image and its code -> the logit that they come from the data and the encoder, not from the prior and G."""

    def __init__(
        self, image_shape: tuple[int, int, int], num_classes: int, *, latent_dim: int = 100, features: int = 64
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.look = nn.Conv2d(channels, features, 4, stride=2, padding=1)
        self.read = nn.Linear(latent_dim, features)
        self.judge = nn.Linear(features * (height // 2) * (width // 2) + features, 1)

    def forward(self, images: Tensor, labels: Tensor | None = None, code: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W), codes (N, latent_dim), zero where none are given -> logits (N, 1)."""
        code = images.new_zeros(len(images), self.read.in_features) if code is None else code
        parts = self.look(images).flatten(1), self.read(code.to(images.dtype))
        return self.judge(nn.functional.leaky_relu(torch.cat(parts, dim=1), 0.2))


class BiGAN(AdversarialModule):
    """DCGAN's generator with an encoder: G makes images of codes, E codes of images, and D cannot tell the pairs apart.

    G and E are one player: both minimise D's loss with the labels exchanged (Donahue et al., 2017, sec. 3.4).
    """

    defaults = DCGAN.defaults.merged({"discriminator": {"name": "mylab.bigan.PairDiscriminator"}})

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.add_modules("generator", encoder=Encoder(self.image_shape, self.recipe.latent_dim))

    def discriminator_loss(self, look: Look) -> Judged:
        """D tells (x, E(x)) from (G(z), z)."""
        with torch.no_grad():
            code = self.encoder(look.real)
        on_real = self.judge(look.seen_real, look.labels, code=code)
        on_fake = self.judge(look.seen_fake, look.labels, code=look.latent)
        return Judged(self.loss.discriminator(on_real, on_fake), on_real, on_fake)

    def generator_loss(self, look: Look) -> Tensor:
        """G and E make D take the one for the other."""
        on_real = self.judge(look.seen_real, look.labels, code=self.encoder(look.real))
        on_fake = self.judge(look.seen_fake, look.labels, code=look.latent)
        return self.loss.discriminator(on_fake, on_real)
