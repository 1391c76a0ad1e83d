"""Priors: shape, moments, and their own stream."""

import pytest
import torch

from gan.priors import PRIORS, uniform
from gan.streams import stream

MOMENTS = {"normal": (0.0, 1.0), "uniform": (0.0, 1 / 3)}  # mean, variance


@pytest.mark.parametrize("name", sorted(PRIORS))
def test_shape_moments_and_stream(name):
    before = torch.get_rng_state()
    latent = PRIORS[name]((2000, 50), stream("test", 1))
    assert latent.shape == (2000, 50)
    assert latent.dtype == torch.float32
    mean, variance = MOMENTS[name]
    assert latent.mean().item() == pytest.approx(mean, abs=0.02)
    assert latent.var().item() == pytest.approx(variance, rel=0.02)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(latent, PRIORS[name]((2000, 50), stream("test", 1)))
    assert not torch.equal(latent, PRIORS[name]((2000, 50), stream("test", 2)))


def test_uniform_fills_its_bound():
    latent = uniform((1000, 100), stream("test", 1), bound=3**0.5)
    assert latent.abs().max().item() == pytest.approx(3**0.5, rel=1e-3)
    assert latent.var().item() == pytest.approx(1.0, rel=0.02)
