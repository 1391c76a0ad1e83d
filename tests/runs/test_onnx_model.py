"""onnxruntime draws a generator's own images, or the generator is refused by name."""

import numpy as np
import onnxruntime
import pytest
import torch
from support import EVERY, tiny
from torch import nn

from gan.base.errors import UserError
from gan.base.images import to_uint8
from gan.engine.sampling import Sampler
from gan.parts.priors import normal
from gan.runs.onnx_model import to_onnx

SHARE = 1e-4  # of pixels that are one grey level apart: ten times less than what is refused


def pixels(session, latent, labels=None):
    """The 8-bit images that onnxruntime draws."""
    feed = {"latent": latent.numpy()} | ({} if labels is None else {"labels": labels.numpy()})
    (images,) = session.run(["images"], feed)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    return (255 * images).round().astype("uint8")


def draws_the_same(sampler):
    session = onnxruntime.InferenceSession(to_onnx(sampler, "generator"))
    (batch, size), apart = session.get_inputs()[0].shape, []
    assert size == sampler.latent_dim
    for seed, num in enumerate([batch] * 60 if sampler.by_batch else (1, 7, 500)):
        latent = sampler.prior((num, size), torch.Generator().manual_seed(seed))
        labels = torch.randint(sampler.num_classes, (num,)) if sampler.num_classes else None
        here = to_uint8(sampler(latent, labels), sampler.output_range).int()
        apart.append((here - torch.from_numpy(pixels(session, latent, labels)).int()).abs().flatten())
    assert torch.cat(apart).max() <= 1
    assert (torch.cat(apart) > 0).double().mean() <= SHARE


def spread(variant):
    """A variant's generator with weights large enough for every grey level, and statistics that are not the initial."""
    sampler = tiny(variant).sampler().requires_grad_(False)
    for layer in sampler.generator.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            layer.weight.mul_(1 / layer.weight.std() / layer.weight[0].numel() ** 0.5)
    latent = sampler.prior((64, sampler.latent_dim), torch.Generator().manual_seed(0))
    sampler.train()(latent)
    sampler.eval()
    assert sampler.sample(50).unique().numel() > 50
    return sampler


@pytest.mark.slow
@pytest.mark.parametrize("variant", sorted(EVERY))
def test_the_generator_of_every_variant(variant):
    draws_the_same(spread(variant))


class Own(nn.Module):
    """A generator of one's own. Nothing says what it does with its batch."""

    output_range = (-1.0, 3.0)

    def __init__(self, way):
        super().__init__()
        self.layer, self.way = nn.Linear(4, 12), way

    def forward(self, latent, labels=None):
        return self.way(self.layer(latent)).view(-1, 3, 2, 2)


def own(way):
    torch.manual_seed(0)
    return Sampler(Own(way).eval().requires_grad_(False), normal, 4, 8)


@pytest.mark.slow
def test_a_generator_of_one_s_own_has_its_own_range():
    draws_the_same(own(lambda hidden: 1 + 3 * torch.sin(hidden)))  # some of it is outside the range


def noisy(hidden):
    return hidden + torch.randn_like(hidden)


def fixed(hidden):
    return hidden + torch.arange(len(hidden.tolist()))[:, None]


@pytest.mark.parametrize(("way", "says"), [(noisy, "draws other images in onnxruntime"), (fixed, "cannot be written")])
@pytest.mark.slow
def test_what_cannot_be_right_is_refused_by_name(way, says):
    with pytest.raises(UserError, match=rf"^recipe.generator mylab.Own: {says}.*--no-onnx") as error:
        to_onnx(own(way), "recipe.generator mylab.Own")
    assert len(str(error.value)) < 600
