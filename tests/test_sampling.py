"""Samples depend on weights and seed alone, and drawing them leaves no trace."""

import pytest
import torch
from support import tiny, weights

from gan.sampling import BLOCK, evaluating
from gan.variants import VARIANTS

every_variant = pytest.mark.parametrize("variant", sorted(VARIANTS))


@every_variant
def test_samples_are_8_bit_images_of_the_seed(variant):
    sampler = tiny(variant).sampler()
    images = sampler.sample(20, seed=3)
    assert images.shape == (20, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert torch.equal(images, sampler.sample(20, seed=3))
    assert not torch.equal(images, sampler.sample(20, seed=4))
    assert not torch.equal(images, sampler.sample(20, seed=3, purpose="other"))
    assert not torch.equal(images[0], images[1])


@every_variant
def test_fewer_samples_are_a_prefix_of_more(variant):
    sampler = tiny(variant).sampler()
    many = sampler.sample(2 * BLOCK + 1)
    for num in (1, 100, BLOCK, BLOCK + 1):
        assert torch.equal(sampler.sample(num), many[:num])


@every_variant
def test_the_global_random_state_neither_matters_nor_moves(variant):
    sampler = tiny(variant).sampler()
    torch.manual_seed(1)
    first, state = sampler.sample(10), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first, sampler.sample(10))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


@every_variant
@pytest.mark.parametrize("training", [True, False])
def test_modes_weights_and_running_statistics_stay(variant, training):
    module = tiny(variant).train(training)
    first = next(module.generator.children())
    first.train(not training)  # a mode of its own
    modes, before = [m.training for m in module.modules()], weights(module)
    module.sampler().sample(10)
    assert [m.training for m in module.modules()] == modes
    after = weights(module)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_modes_come_back_after_an_error():
    module = tiny("DCGAN").train()
    with evaluating(module.generator):
        assert not any(m.training for m in module.generator.modules())
        assert not torch.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), evaluating(module.generator):
        1 / 0  # noqa: B018
    assert all(m.training for m in module.generator.modules())
    assert torch.is_grad_enabled()


def test_a_samplers_call_is_the_generator_in_its_own_range():
    for variant, limits in (("MLPGAN", (0, 1)), ("DCGAN", (-1, 1))):
        sampler = tiny(variant).sampler()
        assert sampler.output_range == limits
        images = sampler(torch.randn(5, sampler.latent_dim))
        assert images.shape == (5, 1, 28, 28)
        assert limits[0] <= float(images.min()) <= float(images.max()) <= limits[1]
