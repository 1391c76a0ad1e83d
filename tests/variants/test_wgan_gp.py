"""WGANGP: the penalty is in the critic's loss and holds its gradient near 1."""

import pytest
import torch
from support import Digits, Recorder, tiny, train
from variants_support import first_outputs

from gan.base.images import to_range
from gan.parts.networks.layers import has_batch_statistics


def test_the_loss_holds_ten_times_the_penalty():
    """At the first update: the interpolates' gradient norms, here by backward() instead of autograd.grad."""
    real, fake, outputs = first_outputs(tiny("WGANGP", seed=1))
    rest = float(outputs["loss/discriminator"]) - float(fake.mean() - real.mean())
    _, _, without = first_outputs(tiny("WGANGP", {"discriminator_penalties": {"gradient_penalty": 0.0}}, seed=1))
    assert float(without["loss/discriminator"]) == pytest.approx(float(fake.mean() - real.mean()), abs=1e-6)
    assert 9.0 < rest < 10.0  # a new critic is flat: 10 (0 - 1)²


def test_training_pulls_the_critic_s_gradient_to_norm_1():
    """At a weight that outbids a poor generator's distance: w (n - 1)² - d n is least at n = 1 + d / 2w."""
    change = {"discriminator_optimizer": {"lr": 2e-3}, "generator_optimizer": {"lr": 0.0}}
    change |= {"discriminator_penalties": {"gradient_penalty": 500.0}}
    module = tiny("WGANGP", change)
    train(module, 20, Recorder())
    real = to_range(next(iter(Digits(8)))[0], (-1.0, 1.0))
    fake = module.generator(torch.rand(8, 8) * 2 - 1).detach()
    norms = []
    for share in (0.25, 0.5, 0.75):
        images = (share * real + (1 - share) * fake).requires_grad_()
        module.discriminator(images).sum().backward()
        norms.append(images.grad.flatten(1).norm(dim=1))
    assert 0.7 < float(torch.cat(norms).mean()) < 1.3
    assert not has_batch_statistics(module.discriminator)
