"""WGAN: a clipped critic, updated five times a round, whose loss is minus a distance."""

from itertools import pairwise

import pytest
from support import Recorder, tiny, train
from variants_support import first_outputs


def test_the_critic_s_loss_is_a_difference_of_means():
    real, fake, outputs = first_outputs(tiny("WGAN", seed=1))
    assert float(outputs["loss/discriminator"]) == pytest.approx(float(fake.mean() - real.mean()), abs=1e-6)


def test_every_weight_of_the_critic_is_clipped_and_it_has_five_updates_a_round():
    module, record = tiny("WGAN"), Recorder()
    train(module, 2, record)
    assert max(float(p.abs().max()) for p in module.discriminator.parameters()) <= 0.01 + 1e-9
    assert module.players["discriminator"].updates == 10
    assert ["loss/generator" in outputs for outputs in record.outputs] == [False] * 4 + [True] + [False] * 4 + [True]


def test_the_estimated_distance_grows_while_the_generator_stands_still():
    """Wasserstein's critic has no logarithm to saturate: minus its loss rises towards the distance."""
    change = {"generator_optimizer": {"lr": 0.0}, "discriminator_optimizer": {"lr": 1e-3}}
    module, record = tiny("WGAN", change), Recorder()
    train(module, 12, record)
    distances = [-float(outputs["loss/discriminator"]) for outputs in record.outputs[4::20]]
    assert all(later > earlier for earlier, later in pairwise(distances))
