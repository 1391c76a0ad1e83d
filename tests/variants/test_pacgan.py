"""PacGAN: D tells pairs apart, which a generator that repeats itself betrays."""

import torch
from support import tiny, train
from variants_support import Outputs


def test_d_has_twice_the_channels_and_the_generator_has_not():
    module = tiny("PacGAN")
    assert module.discriminator.convolutions[0].in_channels == 2
    assert module.sampler().sample(3).shape == (3, 1, 28, 28)


def test_d_can_tell_a_repeated_image_from_two():
    """A pair of the same digit against a pair of different ones: with packing that is a difference, without it none."""
    from support import Digits

    from gan.images import pack, to_range

    images = to_range(next(iter(Digits(8)))[0], (-1.0, 1.0))
    different, repeated = pack(images, 2), pack(images[::2].repeat_interleave(2, dim=0), 2)
    assert torch.equal(different[:, 0], repeated[:, 0])
    assert not torch.equal(different[:, 1], repeated[:, 1])
    train(tiny("PacGAN"), 3, Outputs())
