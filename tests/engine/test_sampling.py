"""Samples depend on weights and seed alone, and drawing them leaves no trace."""

import pytest
import torch
from support import KINDS_OF_GENERATORS, tiny, weights

from gan.base.errors import UserError
from gan.base.images import to_uint8
from gan.base.streams import stream
from gan.engine.sampling import evaluating
from gan.parts.priors import interpolate

every_generator = pytest.mark.parametrize("variant", KINDS_OF_GENERATORS)


@every_generator
def test_samples_are_8_bit_images_of_the_seed(variant):
    sampler = tiny(variant).sampler()
    images = sampler.sample(20, seed=3)
    assert images.shape == (20, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert torch.equal(images, sampler.sample(20, seed=3))
    assert not torch.equal(images, sampler.sample(20, seed=4))
    assert not torch.equal(images, sampler.sample(20, seed=3, purpose="other"))
    assert not torch.equal(images[0], images[1])


@every_generator
def test_fewer_samples_are_a_prefix_of_more(variant, monkeypatch):
    monkeypatch.setattr("gan.engine.sampling.BLOCK", 20)
    sampler = tiny(variant).sampler()
    many = sampler.sample(41)
    for num in (1, 7, 20, 21):
        assert torch.equal(sampler.sample(num), many[:num])


@every_generator
def test_the_global_random_state_neither_matters_nor_moves(variant):
    sampler = tiny(variant).sampler()
    torch.manual_seed(1)
    first, state = sampler.sample(10), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first, sampler.sample(10))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


@every_generator
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


# Interpolation ---

LIVELY = {"generator_weights": {"name": "normal", "std": 0.3}}  # at DCGAN's initial weights all images are grey


def walks(sampler, rows, columns, seed=0, labels=None):
    """Images (rows, columns, C, H, W) of what `Sampler.interpolate` promises, one walk after another."""
    latents = sampler.prior((2 * rows, sampler.latent_dim), stream("interpolation", seed))
    walk = []
    with evaluating(sampler.generator):
        for row in range(rows):
            start, end = latents[row, None], latents[rows + row, None]
            points = [interpolate(sampler.prior, start, end, column / (columns - 1)) for column in range(columns)]
            label = None if labels is None else labels[row].expand(columns)
            walk.append(to_uint8(sampler(torch.cat(points), label), sampler.output_range))
    return torch.stack(walk)


def grey_levels(a, b):
    """The largest difference of two batches of uint8 images."""
    return int((a.int() - b.int()).abs().max())


@pytest.mark.parametrize("variant", ["MLPGAN", "DCGAN", "InfoGAN"])  # normal, uniform and coded latents
def test_rows_walk_from_one_latent_of_the_seed_to_another_by_the_prior_s_rule(variant):
    """To one grey level: in another batch sums may be taken in another order."""
    sampler = tiny(variant, LIVELY).sampler()
    images = sampler.interpolate(rows=3, columns=5, seed=2)
    assert images.shape == (15, 1, 28, 28)
    assert images.dtype == torch.uint8
    rows = images.view(3, 5, 1, 28, 28)
    assert grey_levels(rows, walks(sampler, 3, 5, seed=2)) <= 1
    ends = torch.cat([rows[:, 0], rows[:, -1]])
    assert all(grey_levels(ends[i], ends[j]) > 10 for i in range(6) for j in range(i))  # six latents, not fewer
    straight = sampler.prior((6, sampler.latent_dim), stream("interpolation", 2)).view(2, 3, -1).mean(dim=0)
    with evaluating(sampler.generator):
        assert grey_levels(rows[:, 2], to_uint8(sampler(straight), sampler.output_range)) > 10  # the rule is not lerp
    assert torch.equal(images, sampler.interpolate(rows=3, columns=5, seed=2))
    assert grey_levels(images, sampler.interpolate(rows=3, columns=5, seed=3)) > 10


def test_a_walk_of_one_column_stays_where_it_starts():
    sampler = tiny("MLPGAN", LIVELY).sampler()
    assert grey_levels(sampler.interpolate(rows=4, columns=1), walks(sampler, 4, 2)[:, 0]) <= 1


@pytest.mark.parametrize(("rows", "columns"), [(50, 10), (63, 8)])  # a whole block; one that ends within row 62
@pytest.mark.parametrize("label", [None, 3])
def test_a_walk_keeps_its_class(rows, columns, label):
    """Row i is of class i mod 10, also past the first block, or all rows are of the class asked for."""
    sampler = tiny("ConditionalGAN", LIVELY).sampler()
    labels = torch.arange(rows) % 10 if label is None else torch.full((rows,), label)
    images = sampler.interpolate(rows, columns, label=label).view(rows, columns, 1, 28, 28)
    assert grey_levels(images, walks(sampler, rows, columns, labels=labels)) <= 1
    others = walks(sampler, rows, columns, labels=(labels + 1) % 10)
    assert all(grey_levels(mine, other) > 10 for mine, other in zip(images, others, strict=True))  # classes matter


def test_a_class_needs_a_generator_that_reads_labels_and_has_it():
    with pytest.raises(UserError, match="reads no labels"):
        tiny("MLPGAN").sampler().interpolate(2, label=3)
    with pytest.raises(UserError, match="from 0 to 9"):
        tiny("ConditionalGAN").sampler().interpolate(2, label=10)


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (4, 4), (1, 3)])  # blocks of 8 images: 1½, 2 and a part of one
def test_a_generator_that_normalises_by_the_batch_draws_whole_batches(rows, columns):
    sampler = tiny("StridedDCGAN").sampler()
    assert sampler.by_batch
    batches = []
    sampler.generator.register_forward_pre_hook(lambda network, inputs: batches.append(len(inputs[0])))
    assert sampler.interpolate(rows, columns).shape == (rows * columns, 1, 28, 28)
    assert set(batches) == {8}
