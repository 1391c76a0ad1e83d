"""PacGAN: D tells pairs apart, which a generator that repeats itself betrays."""

import pytest
import torch
from support import Replay, tiny, train
from torch import nn

from gan.base.images import pack, to_range
from gan.data.sources.mnist import read_embedded
from gan.engine.sampling import evaluating


def test_d_has_twice_the_channels_and_the_generator_has_not():
    module = tiny("PacGAN")
    assert module.discriminator.convolutions[0].in_channels == 2
    assert module.sampler().sample(3).shape == (3, 1, 28, 28)


class Repeating(nn.Module):
    """Real digits, perfect one by one, but each drawn twice in a row: latents (N, latent_dim) -> (N, 1, 28, 28)."""

    output_range = (-1.0, 1.0)

    def __init__(self, images):
        super().__init__()
        self.images, self.scale = images, nn.Parameter(torch.ones(()))

    def forward(self, latent, labels=None):
        number = ((latent[::2, 0] + 1) / 2 * len(self.images)).long().clamp(max=len(self.images) - 1)  # of U(-1, 1)
        return self.scale * self.images[number].repeat_interleave(2, dim=0)


def accuracy_against_repetition(packing, steps):
    """How often a D that was trained against `Repeating` is right, on pairs of digits that neither has seen."""
    images = torch.as_tensor(read_embedded()[0]).view(-1, 1, 28, 28)
    images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
    change = {
        "packing": packing,
        "batch_size": 64,
        "generator_optimizer": {"lr": 0.0},
        "discriminator_optimizer": {"lr": 2e-3},
    }
    module = tiny("PacGAN", change, seed=1)
    module.generator = Repeating(to_range(images[:2000], (-1.0, 1.0)))
    torch.manual_seed(1)
    train(module, steps, batches=Replay([(batch, None) for batch in images[2000:4048].split(64)] * 5))
    held_out = to_range(images[4048:], (-1.0, 1.0))
    with evaluating(module.discriminator):
        on_different = module.discriminator(pack(held_out, packing))
        on_repeated = module.discriminator(pack(held_out.repeat_interleave(2, dim=0), packing))
    return float((on_different > 0).float().mean() + (on_repeated <= 0).float().mean()) / 2


def test_d_tells_a_repeated_image_from_two():
    assert accuracy_against_repetition(packing=2, steps=150) > 0.9


def test_without_packing_a_repeated_image_is_as_good_as_any():
    """The same images come from both sides, and D, whatever it has learnt, judges each by itself."""
    assert accuracy_against_repetition(packing=1, steps=20) == pytest.approx(0.5, abs=1e-3)
