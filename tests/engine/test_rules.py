"""What each network is shown and minimises in one step: labels, heads, augmented and packed images, the boundary.

Recomputed from the networks' recorded inputs and outputs. The embedded digits are sorted by class: here they are mixed.
"""

from copy import deepcopy

import pytest
import torch
from support import Digits, Recorder, Replay, calls, parameters, same, tiny, train
from torch import nn
from torch.nn.functional import softplus

from gan.base.errors import UserError
from gan.base.images import pack, to_range
from gan.parts.augmentations import AUGMENTATIONS
from gan.parts.penalties import PENALTIES


def one_step(module, images, labels):
    """What the step on this batch returned."""
    record = Recorder()
    torch.manual_seed(1)
    train(module, 1, record, batches=Replay([(images, labels)]))
    return record.outputs[0]


# The auxiliary loss ---


def of_the_class(outputs, labels, latent):
    """E[-log P(class = label)], from all of D's outputs (N, 1 + 10)."""
    return -outputs[:, 1:].log_softmax(dim=1)[torch.arange(len(labels)), labels].mean()


def of_the_code(outputs, labels, latent):
    """E[-log Q(category)] + 0.1 · ½ E‖code - prediction‖² of ten categories and two numbers."""
    category = (latent[:, :10] * outputs[:, 1:11].log_softmax(dim=1)).sum(dim=1)
    squared_error = (latent[:, 10:12] - outputs[:, 11:]).square().sum(dim=1)
    return (0.1 * squared_error / 2 - category).mean()


@pytest.mark.parametrize(("variant", "auxiliary"), [("ACGAN", of_the_class), ("InfoGAN", of_the_code)])
def test_g_s_loss_is_the_adversarial_and_the_auxiliary_loss_of_its_fakes(variant, auxiliary):
    module = tiny(variant, {"discriminator_optimizer": {"lr": 0.0}}, seed=1)
    judged, made = calls(module.discriminator), calls(module.generator)
    images, labels = next(iter(Digits(8)))
    outputs = one_step(module, images, labels)
    (latent, _, fake), (seen, _, on_fake) = made[-1], judged[-1]
    assert torch.equal(seen, fake)
    expected = softplus(-on_fake[:, 0]).mean() + auxiliary(on_fake, labels, latent)
    torch.testing.assert_close(outputs["loss/generator"], expected)


@pytest.mark.parametrize("variant", ["ACGAN", "InfoGAN"])
def test_g_learns_from_the_auxiliary_loss_itself(variant):
    """Not only through a D that has learnt from it: here D stands still, its head as it was drawn."""
    ends = []
    for weight in (0.0, 1.0):
        module = tiny(variant, {"discriminator_optimizer": {"lr": 0.0}, "auxiliary": {"weight": weight}}, seed=1)
        one_step(module, *next(iter(Digits(8))))
        ends.append(parameters(module.generator))
    assert not same(*ends)


# What D sees ---


@pytest.mark.parametrize("batches", ["separate", "mixed"])
def test_real_and_fake_are_normalised_apart_or_together(batches):
    change = {"discriminator": {"norm": "batch"}, "discriminator_batches": batches}
    module = tiny("DCGAN", change, seed=1)
    judged, (images, labels) = calls(module.discriminator), next(iter(Digits(8)))
    norm = module.discriminator.norms[1]
    normalised = calls(norm)
    one_step(module, images, labels)
    counts = [len(inputs) for inputs, *_ in judged]
    assert counts == ([16, 8] if batches == "mixed" else [8, 8, 8])  # of D's update, then of G's
    maps = normalised[0][0]
    assert len(maps) == counts[0]
    mean, variance = maps.mean((0, 2, 3), keepdim=True), maps.var((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(normalised[0][2], (maps - mean) / (variance + norm.eps).sqrt())


def test_a_discriminator_without_batch_statistics_has_no_mixed_batches():
    with pytest.raises(UserError, match="discriminator_batches: mixed changes nothing"):
        tiny("DCGAN", {"discriminator": {"norm": "none"}, "discriminator_batches": "mixed"})


@pytest.mark.parametrize("norm", ["batch", "none"])  # real and fake in two passes of D, and in one
@pytest.mark.parametrize("update", ["joint", "real_then_fake"])
def test_penalties_are_taken_at_the_images_that_d_judged(norm, update, monkeypatch):
    """Packed, and with the very noise that was added to them."""
    given = []

    def recorded(network, real, fake, labels, noise, step):
        given.append(torch.cat([real, fake]))
        return real.new_zeros(())

    monkeypatch.setitem(PENALTIES, "recorded", recorded)
    change = {
        "discriminator": {"norm": norm},
        "discriminator_update": update,
        "discriminator_penalties": {"recorded": 1.0},
        "augmentations": {"instance_noise": {"std": 3.0}},
        "packing": 2,
    }
    module = tiny("DCGAN", change, seed=1)
    judged, made = calls(module.discriminator), calls(module.generator)
    given.clear()  # of the recipe's own trial
    images, labels = next(iter(Digits(8)))
    one_step(module, images, labels)
    seen = torch.cat([images for images, _, _ in judged])[:8]  # in D's update: 4 real pairs, 4 of fakes
    assert len(given) == (1 if update == "joint" else 2)
    assert all(torch.equal(images, seen) for images in given)
    plain = torch.cat([pack(to_range(images, (-1.0, 1.0)), 2), pack(made[0][2], 2)])
    assert all(2.8 < float(noise.std()) < 3.2 for noise in (seen - plain).split(4))


@pytest.mark.parametrize("loss", ["relativistic_pairing", "relativistic_average"])
def test_g_s_update_compares_augmented_fakes_with_augmented_real_images(loss, monkeypatch):
    monkeypatch.setitem(AUGMENTATIONS, "paler", lambda images, noise, step: images / 4 + 2)
    change = {"loss": loss, "discriminator_penalties": {"r1": None, "r2": None}, "augmentations": {"paler": {}}}
    module = tiny("R3GAN", change | {"packing": 2}, seed=1)
    judged, made = calls(module.discriminator), calls(module.generator)
    images, labels = next(iter(Digits(8)))
    one_step(module, images, labels)
    real, fakes = pack(to_range(images, (-1.0, 1.0)) / 4 + 2, 2), [pack(fake / 4 + 2, 2) for _, _, fake in made]
    both, *of_g = (seen for seen, _, _ in judged)
    assert torch.equal(both, torch.cat([real, fakes[0]]))
    assert len(of_g) == 2
    assert {bool(torch.equal(seen, real)) for seen in of_g} == {True, False}
    assert {bool(torch.equal(seen, fakes[1])) for seen in of_g} == {True, False}


@pytest.mark.parametrize("read", ["concat", "projection"])
def test_one_pass_judges_every_image_with_its_own_label(read):
    """As D does when it is called twice; fakes have the real batch's labels, in its order."""
    change = {
        "generator": {"conditional": True},
        "discriminator": {"norm": "none", "labels": read},
        "generator_weights": {"std": 0.2},
        "discriminator_weights": {"std": 0.2},
    }
    module = tiny("DCGAN", change, seed=1)
    g, d = deepcopy(module.generator), deepcopy(module.discriminator)
    judged, made = calls(module.discriminator), calls(module.generator)
    images, labels = next(iter(Digits(8)))
    outputs = one_step(module, images, labels)
    with torch.no_grad():
        fake = g(made[0][0], labels)
        on_real, on_fake = d(to_range(images, (-1.0, 1.0)), labels), d(fake, labels)
        mislabelled = d(fake, labels.flip(0))
    torch.testing.assert_close(judged[0][2], torch.cat([on_real, on_fake]))
    torch.testing.assert_close(outputs["loss/discriminator"], (softplus(-on_real) + softplus(on_fake)).mean())
    assert (mislabelled - on_fake).abs().max() > 0.01  # the labels matter


# Whom the balance lets learn ---


class Brightness(nn.Module):
    """D(x) = 0.3 + slope · the mean of x: real digits, in [-1, 1], are darker than grey, the first fakes are grey."""

    def __init__(self, slope):
        super().__init__()
        self.slope, self.offset = slope, nn.Parameter(torch.tensor(0.3))

    def forward(self, images, labels=None):
        return (self.offset + self.slope * images.mean(dim=(1, 2, 3)))[:, None]


@pytest.mark.parametrize(
    ("slope", "outputs", "updated"),
    [
        (0.0, (0.3, 0.3), [("discriminator", "generator")] * 3),  # calls everything fake: half of it is
        (-0.7, (0.8, 0.3), [("generator",)] * 3),  # right of all: D waits
        (0.7, (-0.2, 0.3), [("discriminator", "generator")] * 3),  # calls everything fake, and is surer of real images
    ],
)
def test_balance_counts_as_real_what_is_above_the_loss_s_boundary(slope, outputs, updated):
    """½ for least squares. Above 0 instead, the second D would be right of half the images, the third of none."""
    change = {
        "discriminator": {"norm": "none"},
        "discriminator_optimizer": {"lr": 0.0},
        "balance": {"low": 0.4, "high": 0.6, "patience": 3},
    }
    module = tiny("LSGAN", change, seed=1)
    module.discriminator = Brightness(slope)
    judged, record = calls(module.discriminator), Recorder()
    torch.manual_seed(1)
    train(module, 3, record, batches=Replay([next(iter(Digits(8)))] * 20))  # at most 4 a G update
    on_real, on_fake = judged[0][2].split(8)
    torch.testing.assert_close(on_real, torch.full((8, 1), outputs[0]), rtol=0, atol=0.15)
    torch.testing.assert_close(on_fake, torch.full((8, 1), outputs[1]), rtol=0, atol=0.15)
    assert record.updated == updated
