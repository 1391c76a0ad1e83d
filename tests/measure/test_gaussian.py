"""Laws of the Fréchet distance: float64, >= 0, symmetric, zero on equals, right where the answer is known."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from gan.measure.gaussian import Gaussian, frechet_distance, gaussian


def features(count=500, width=16, seed=0, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=generator) / width**0.5
    return scale * torch.randn(count, width, generator=generator) @ mix + shift


def random_gaussian(width, seed, rank=None):
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(width, rank or width, generator=generator, dtype=torch.float64)
    return Gaussian(torch.randn(width, generator=generator, dtype=torch.float64), root @ root.T, count=1000)


def test_statistics_are_float64_and_unbiased():
    x = features()
    found = gaussian(x)
    assert found.mean.dtype == found.covariance.dtype == torch.float64
    assert found.count == 500
    torch.testing.assert_close(found.covariance, torch.from_numpy(np.cov(x.double().numpy().T)))
    torch.testing.assert_close(found.mean, x.double().mean(dim=0))


@pytest.mark.parametrize("shape", [(1, 8), (8,), (4, 4, 4)])
def test_statistics_need_two_vectors(shape):
    with pytest.raises(ValueError, match="N >= 2"):
        gaussian(torch.zeros(shape))


@pytest.mark.parametrize("count", [5, 20, 500])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_identical_sets_are_at_zero(count, scale):
    a = gaussian(features(count, scale=scale, shift=scale))
    assert 0 <= frechet_distance(a, a) <= 1e-9 * float(a.covariance.trace())


def test_symmetric_and_not_negative():
    for seed in range(20):
        a, b = random_gaussian(12, seed, rank=3 + seed % 10), random_gaussian(12, 100 + seed)
        assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
        assert frechet_distance(a, b) > 0
        nearly = Gaussian(a.mean, a.covariance * (1 + 1e-15), a.count)
        assert frechet_distance(a, nearly) >= 0


def test_shifted_mean_alone():
    a = random_gaussian(10, 0)
    b = Gaussian(a.mean + 2.0, a.covariance, a.count)
    assert frechet_distance(a, b) == pytest.approx(10 * 4.0, rel=1e-9)


def test_commuting_covariances():
    """Equal eigenvectors: |m1 - m2|² + sum (sqrt λ1 - sqrt λ2)². The first one is singular."""
    basis, _ = torch.linalg.qr(random_gaussian(8, 1).covariance)
    first, second = torch.linspace(0, 3, 8, dtype=torch.float64), torch.linspace(5, 1, 8, dtype=torch.float64)
    a = Gaussian(torch.zeros(8, dtype=torch.float64), basis * first @ basis.T, 1000)
    b = Gaussian(torch.ones(8, dtype=torch.float64), basis * second @ basis.T, 1000)
    known = 8 + float((first.sqrt() - second.sqrt()).square().sum())
    assert frechet_distance(a, b) == pytest.approx(known, rel=1e-9)


def test_two_dimensions_in_closed_form():
    """For 2x2 matrices tr(sqrt(AB)) = sqrt(tr(AB) + 2 sqrt(det(AB))): also where A and B do not commute."""
    a_cov = torch.tensor([[2.0, 0.9], [0.9, 1.0]], dtype=torch.float64)
    b_cov = torch.tensor([[1.0, -0.7], [-0.7, 3.0]], dtype=torch.float64)
    product = a_cov @ b_cov
    assert not torch.allclose(product, b_cov @ a_cov)
    trace = math.sqrt(float(product.trace()) + 2 * math.sqrt(float(torch.linalg.det(product))))
    known = 1 + 4 + float(a_cov.trace() + b_cov.trace()) - 2 * trace
    a = Gaussian(torch.tensor([0.0, 0.0], dtype=torch.float64), a_cov, 1000)
    b = Gaussian(torch.tensor([1.0, 2.0], dtype=torch.float64), b_cov, 1000)
    assert frechet_distance(a, b) == pytest.approx(known, rel=1e-12)


def test_rotation_changes_nothing():
    a, b = random_gaussian(9, 2), random_gaussian(9, 3)
    turn, _ = torch.linalg.qr(random_gaussian(9, 4).covariance)
    turned = [Gaussian(turn @ g.mean, turn @ g.covariance @ turn.T, g.count) for g in (a, b)]
    assert frechet_distance(*turned) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_agrees_with_scipy_sqrtm():
    for seed in range(5):
        a, b = random_gaussian(16, seed), random_gaussian(16, seed + 50)
        root = scipy.linalg.sqrtm((a.covariance @ b.covariance).numpy()).real
        known = float((a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace())
        assert frechet_distance(a, b) == pytest.approx(known - 2 * np.trace(root), rel=1e-7)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("seed", range(5))
def test_an_eigenvalue_of_zero_adds_nothing(seed, scale):
    """Rounding gives it back as ±ε λ_max, whose root alone is 1e-8 of the distance."""
    width, rank = 32, 7
    basis, _ = torch.linalg.qr(random_gaussian(width, seed).covariance)
    values = torch.zeros(width, dtype=torch.float64)
    values[:rank] = torch.rand(rank, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.1
    mean = torch.zeros(width, dtype=torch.float64)
    flat = Gaussian(mean, scale * (basis * values @ basis.T), 1000)
    full = Gaussian(mean, scale * (basis * (values + 1) @ basis.T), 1000)
    known = scale * float(((values + 1).sqrt() - values.sqrt()).square().sum())
    assert frechet_distance(flat, full) == pytest.approx(known, rel=1e-12)


def test_fewer_samples_than_features_is_finite():
    a, b = gaussian(features(10, width=64)), gaussian(features(12, width=64, seed=1))
    assert math.isfinite(frechet_distance(a, b))
    assert frechet_distance(a, b) > 0
    constant = gaussian(torch.ones(10, 64))
    assert frechet_distance(constant, constant) == 0
    assert frechet_distance(a, constant) == pytest.approx(
        float((a.mean - constant.mean).square().sum() + a.covariance.trace()), rel=1e-9
    )


def test_not_finite_features_give_nan():
    x = features(20)
    x[3, 2] = math.nan
    assert math.isnan(frechet_distance(gaussian(x), gaussian(features(20))))


class Flat(nn.Module):
    """An extractor for torchmetrics: the pixels themselves."""

    num_features = 16

    def forward(self, images):
        return images.flatten(1)


def test_agrees_with_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    real = torch.sigmoid(features(800, seed=1)).view(-1, 1, 4, 4)
    fake = torch.sigmoid(features(600, seed=2)).view(-1, 1, 4, 4)
    theirs = FrechetInceptionDistance(feature=Flat(), normalize=True, input_img_size=(1, 4, 4)).set_dtype(torch.float64)
    theirs.update(real.double(), real=True)
    theirs.update(fake.double(), real=False)
    ours = frechet_distance(gaussian(real.flatten(1)), gaussian(fake.flatten(1)))
    assert ours == pytest.approx(float(theirs.compute()), rel=1e-6)
