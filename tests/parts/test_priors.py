"""Priors: shape, moments, support and their own stream; interpolation keeps every prior's distribution."""

import math
from functools import partial

import pytest
import torch
from scipy.stats import chisquare, ks_2samp, kstest, truncnorm

from gan.base.streams import stream
from gan.parts.priors import (
    PRIORS,
    _to_truncated,
    bernoulli,
    coded,
    interpolate,
    interpolated_by,
    mixture,
    normal,
    spherical,
    truncated_normal,
    uniform,
)

DIM = 16
MOMENTS = {  # mean, variance, of all numbers of a latent of 50 together
    "normal": (0.0, 1.0),
    "uniform": (0.0, 1 / 3),
    "truncated_normal": (0.0, truncnorm(-2, 2).var()),
    "spherical": (0.0, 1.0),
    "bernoulli": (0.0, 1.0),
    "mixture": (3 / 50, 0.5**2 + 3**2 / 50 - (3 / 50) ** 2),
    "coded": (1 / 50, (1 + 2 / 3 + 38) / 50 - (1 / 50) ** 2),
}
PARTIALS = {
    "uniform √3": partial(uniform, bound=3**0.5),
    "truncated_normal 0.5": partial(truncated_normal, bound=0.5),
    "truncated_normal 9": partial(truncated_normal, bound=9),  # so wide that float64 rounds |z| <= 9 to certainty
    "bernoulli 0.2": partial(bernoulli, probability=0.2),
    "mixture 20": partial(mixture, components=20, distance=5.0, std=0.3),  # both halves of some axes
    "coded 3, 5": partial(coded, categories=3, continuous=5),
}
ALL = PRIORS | PARTIALS


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


def test_normal_and_uniform_are_the_generator_s_own_numbers():
    """Runs and checkpoints depend on these draws."""
    assert torch.equal(normal((7, 5), stream("test", 1)), torch.randn(7, 5, generator=stream("test", 1)))
    drawn = torch.rand(7, 5, generator=stream("test", 1)) * 3.0 - 1.5
    assert torch.equal(uniform((7, 5), stream("test", 1), bound=1.5), drawn)


def test_uniform_fills_its_bound():
    latent = uniform((1000, 100), stream("test", 1), bound=3**0.5)
    assert latent.abs().max().item() == pytest.approx(3**0.5, rel=1e-3)
    assert latent.var().item() == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("bound", [0.01, 0.5, 2.0, 7.0])
def test_truncated_normal_is_the_conditional_distribution(bound):
    latent = truncated_normal((1000, 20), stream("test", 1), bound=bound)
    assert latent.abs().max() <= bound
    assert kstest(latent.flatten().double(), truncnorm(-bound, bound).cdf).pvalue > 1e-3


def test_the_least_of_uniform_numbers_is_a_bound_not_infinity():
    """Once in 2^53 draws."""
    edges = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    assert _to_truncated(edges, 9.0).tolist() == [-9.0, 9.0]


@pytest.mark.parametrize("dim", [1, 2, 100])
def test_spherical_has_one_radius_and_no_direction(dim):
    latent = spherical((5000, dim), stream("test", 1))
    torch.testing.assert_close(latent.norm(dim=1), torch.full((5000,), dim**0.5))
    assert latent.mean(dim=0).norm().item() < 5 * (dim / 5000) ** 0.5
    assert latent[:, 0].var().item() == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_bernoulli_is_plus_or_minus_one(probability):
    latent = bernoulli((1000, 50), stream("test", 1), probability=probability)
    assert (latent.abs() == 1).all()
    assert (latent == 1).float().mean().item() == pytest.approx(probability, abs=0.01)


def test_mixture_s_components_lie_on_the_half_axes():
    """Centres 0 to 3 at +5, 4 to 6 at -5 on the first three axes; each as often, of the same spread."""
    latent = mixture((14000, 4), stream("test", 1), components=7, distance=5.0, std=0.2)
    centres = 5.0 * torch.cat([torch.eye(4), -torch.eye(4)])[:7]
    distances = torch.cdist(latent, centres)
    nearest = distances.argmin(dim=1)
    assert chisquare(nearest.bincount(minlength=7)).pvalue > 1e-3
    for k in range(7):
        residuals = latent[nearest == k] - centres[k]
        assert residuals.mean(dim=0).abs().max().item() < 0.02
        assert residuals.std().item() == pytest.approx(0.2, rel=0.03)


def test_coded_is_a_category_then_codes_then_noise():
    latent = coded((10000, 74), stream("test", 1))
    category, code, noise = latent.split([10, 2, 62], dim=1)
    assert set(category.unique().tolist()) == {0.0, 1.0}
    assert (category.sum(dim=1) == 1).all()
    assert chisquare(category.sum(dim=0)).pvalue > 1e-3
    assert code.abs().max() <= 1
    assert code.var().item() == pytest.approx(1 / 3, rel=0.03)
    assert noise.var().item() == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (partial(uniform, bound=0.0), "uniform: bound must be a positive number, not 0.0"),
        (partial(truncated_normal, bound=-1.0), "truncated_normal: bound must be a positive number, not -1.0"),
        (partial(truncated_normal, bound=math.inf), "truncated_normal: bound must be a positive number, not inf"),
        (partial(truncated_normal, bound=math.nan), "truncated_normal: bound must be a positive number, not nan"),
        (partial(bernoulli, probability=1.1), "bernoulli: probability must be between 0 and 1, not 1.1"),
        (partial(bernoulli, probability=-0.1), "bernoulli: probability must be between 0 and 1, not -0.1"),
        (partial(mixture, components=33), "mixture: components must be 1 to 2 latent_dim = 32, not 33"),
        (partial(mixture, components=0), "mixture: components must be 1 to 2 latent_dim = 32, not 0"),
        (partial(mixture, distance=-3.0), "mixture: distance must be 0 or a positive number, not -3.0"),
        (partial(mixture, std=0.0), "mixture: std must be a positive number, not 0.0"),
        (partial(coded, categories=0), "coded: categories must be at least 1, not 0"),
        (partial(coded, continuous=-1), "coded: continuous must be at least 0, not -1"),
        (partial(coded, continuous=6), r"coded: latent_dim must be at least .* = 17, not 16"),
    ],
)
def test_parameters_that_make_no_distribution(prior, message):
    with pytest.raises(ValueError, match=message) as raised:
        prior((4, DIM), stream("test", 1))
    assert "\n" not in str(raised.value)


def test_the_largest_mixture_and_the_smallest_coded_latent():
    assert mixture((4, 5), stream("test", 1)).shape == (4, 5)  # 10 components on 2 × 5 half-axes
    assert coded((4, 13), stream("test", 1)).shape == (4, 13)  # 10 + 2 + 1


def ends(prior, num=20_000, dim=DIM):
    return prior((num, dim), stream("start", 1)), prior((num, dim), stream("end", 1))


def smallest_p(latent, fresh):
    """The least p-value of two-sample Kolmogorov-Smirnov tests on coordinates, a projection and the norm.

    The projection tells dependent coordinates from independent ones. Rounding, which the sphere's radius shows, is cut
    off.
    """
    direction = torch.linspace(-1, 1, DIM)
    projections = [(latent[:, i], fresh[:, i]) for i in (0, 2, 6, 10, DIM - 1)]
    projections += [(latent @ direction, fresh @ direction), (latent.norm(dim=1), fresh.norm(dim=1))]
    return min(ks_2samp(*(values.round(decimals=3) for values in pair)).pvalue for pair in projections)


@pytest.mark.parametrize("t", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("name", ALL)
def test_interpolated_latents_are_distributed_as_the_prior(name, t):
    prior = ALL[name]
    start, end = ends(prior)
    latent = interpolate(prior, start, end, t)
    assert latent.shape == start.shape
    assert latent.dtype == start.dtype
    assert not torch.equal(latent, start)
    assert not torch.equal(latent, end)
    assert smallest_p(latent, prior((20_000, DIM), stream("fresh", 1))) > 1e-4


@pytest.mark.parametrize("name", sorted(PRIORS))
def test_linear_interpolation_fails_that_test(name):
    """So that the test can tell; its p-values are 1e-4 at least where the rule matches."""
    prior = PRIORS[name]
    latent = torch.lerp(*ends(prior), 0.5)
    assert smallest_p(latent, prior((20_000, DIM), stream("fresh", 1))) < 1e-20


@pytest.mark.parametrize("name", ALL)
def test_interpolation_is_exact_at_its_ends_and_near_them_close(name):
    """The rules meet the ends by themselves, up to rounding and the switch of categories at 1/2."""
    start, end = ends(ALL[name], num=1000)
    assert torch.equal(interpolate(ALL[name], start, end, 0.0), start)
    assert torch.equal(interpolate(ALL[name], start, end, 1.0), end)
    torch.testing.assert_close(interpolate(ALL[name], start, end, 1e-9), start, rtol=0, atol=2e-6)
    torch.testing.assert_close(interpolate(ALL[name], start, end, 1 - 1e-9), end, rtol=0, atol=2e-6)


@pytest.mark.parametrize("t", [0.25, 0.5, 0.75])
def test_interpolated_latents_keep_their_support(t):
    def between(prior, num=20_000, dim=DIM):
        return interpolate(prior, *ends(prior, num, dim), t)

    assert between(PARTIALS["uniform √3"]).abs().max() <= 3**0.5
    assert between(PARTIALS["truncated_normal 0.5"]).abs().max() <= 0.5
    for dim in (1, 2, DIM):  # on the line, all latents are parallel or opposite
        latent = between(spherical, 1000, dim)
        torch.testing.assert_close(latent.norm(dim=1), torch.full((1000,), dim**0.5))
    assert set(between(bernoulli).unique().tolist()) == {-1.0, 1.0}
    category = between(coded)[:, :10]
    assert set(category.unique().tolist()) == {0.0, 1.0}
    assert chisquare(category.sum(dim=0)).pvalue > 1e-3
    nearest = torch.cdist(between(mixture), 3.0 * torch.eye(10, DIM)).argmin(dim=1)
    assert chisquare(nearest.bincount(minlength=10)).pvalue > 1e-3


def test_normal_latents_at_equal_parts_are_their_sum_over_root_two():
    start, end = ends(normal, num=10)
    torch.testing.assert_close(interpolate(normal, start, end, 0.5), (start + end) / 2**0.5)
    torch.testing.assert_close(interpolate(normal, start, end, 0.2), (0.8 * start + 0.2 * end) / 0.68**0.5)


def test_bounds_interpolate_without_infinities():
    """The inverse distribution function is infinite there; opposite bounds meet in the middle."""
    start, end = torch.tensor([[-1.0, 1.0, 1.0, -1.0]]), torch.tensor([[1.0, -1.0, 1.0, 0.3]])
    for prior in (uniform, partial(truncated_normal, bound=1.0)):
        for t in (0.25, 0.5, 0.75):
            assert interpolate(prior, start, end, t).isfinite().all()
        torch.testing.assert_close(interpolate(prior, start, end, 0.5)[:, :3], torch.tensor([[0.0, 0.0, 1.0]]))


def test_the_great_circle_has_constant_speed_and_a_way_between_opposite_latents():
    start = 2**0.5 * torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    end = 2**0.5 * torch.tensor([[0.0, 1.0], [-1.0, 0.0], [0.6, 0.8], [-0.6, -0.8]])  # 90°, opposite, same, opposite
    angles = torch.tensor([math.pi / 2, math.pi, 0.0, math.pi])
    for t in (0.1, 0.5, 0.9):
        latent = interpolate(spherical, start, end, t)
        torch.testing.assert_close(latent.norm(dim=1), torch.full((4,), 2**0.5))
        torch.testing.assert_close((latent * start).sum(dim=1) / 2, torch.cos(t * angles))
        torch.testing.assert_close((latent * end).sum(dim=1) / 2, torch.cos((1 - t) * angles))


def student_t(shape, generator, *, degrees=3):
    noise = torch.randn((degrees + 1, *shape), generator=generator, device=generator.device)
    return noise[0] / noise[1:].square().mean(dim=0).sqrt()


def test_a_prior_without_a_rule_is_interpolated_linearly():
    for prior in (student_t, partial(student_t, degrees=5)):
        start, end = ends(prior, num=100)
        torch.testing.assert_close(interpolate(prior, start, end, 0.25), 0.75 * start + 0.25 * end)
        assert torch.equal(interpolate(prior, start, end, 1), end)


def test_a_user_s_prior_hands_its_rule_its_parameters():
    seen = []

    def rule(start, end, t, *, scale, shift):
        seen.append((scale, shift))
        return start

    @interpolated_by(rule)
    def scaled(shape, generator, *, scale, shift=1.0):
        return shift + scale * normal(shape, generator)

    prior = partial(scaled, scale=3.0)
    interpolate(prior, *ends(prior, num=2), 0.5)
    interpolate(partial(prior, shift=0.0), *ends(prior, num=2), 0.5)
    assert seen == [(3.0, 1.0), (3.0, 0.0)]
    assert scaled.interpolation is rule


def test_interpolate_refuses_other_points_and_unequal_shapes():
    start, end = ends(normal, num=3)
    for t in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="t must be between 0 and 1, not"):
            interpolate(normal, start, end, t)
    with pytest.raises(ValueError, match=r"start \(3, 16\) and end \(2, 16\) must have one shape"):
        interpolate(normal, start, end[:2], 0.5)
