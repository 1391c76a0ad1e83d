"""Each measure against an independent implementation, a closed form or a known damage, on the same arrays."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import betabinom
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import poly_mmd

from gan.measure.extractors.extractor import Features
from gan.measure.gaussian import Gaussian, frechet_distance, gaussian
from gan.measure.measure import Sample, Seen
from gan.measure.measures.classes import classifier_score, histogram
from gan.measure.measures.discriminator import diagnostics
from gan.measure.measures.distances import nearest
from gan.measure.measures.diversity import diversity
from gan.measure.measures.frechet import frechet_limit_of, standard_error
from gan.measure.measures.kernel import kernel_distance
from gan.measure.measures.memorisation import copying
from gan.measure.measures.modes import modes_of
from gan.measure.measures.neighbours import _covered_by, neighbourhoods
from gan.measure.measures.parzen import WIDTHS, parzen_likelihood
from gan.measure.measures.two_sample import classifier_test, nearest_neighbour_test
from gan.measure.measures.wasserstein import sliced_wasserstein
from gan.measure.registry import MEASURES, chosen


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(number, dimension=16, seed=0, shift=0.0, scale=1.0):
    return shift + scale * torch.randn(number, dimension, generator=stream(seed))


# Distances ---


def test_nearest_neighbours_are_those_of_all_distances(monkeypatch):
    monkeypatch.setattr("gan.measure.measures.distances.ROWS", 7)
    points = normal(50).double()
    whole = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    values, indices = nearest(points, points, 3, themselves=True)
    expected = whole.sort(dim=1)
    torch.testing.assert_close(values, expected.values[:, :3])
    assert torch.equal(indices, expected.indices[:, :3])
    assert nearest(points[:5], points)[1][:, 0].tolist() == [0, 1, 2, 3, 4]


# Balls ---


@pytest.mark.parametrize(("num_real", "num_fake", "shift"), [(300, 200, 0.0), (150, 300, 0.7), (200, 200, 9.0)])
def test_the_balls_are_prdcs(num_real, num_fake, shift):
    prdc = pytest.importorskip("prdc")
    real, fake = normal(num_real, seed=1), normal(num_fake, seed=2, shift=shift)
    expected = prdc.compute_prdc(real.double().numpy(), fake.double().numpy(), nearest_k=5)
    found = neighbourhoods(real, fake)
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected)


def test_a_ball_holds_as_many_samples_as_the_beta_binomial_says():
    for m, num_real, k in ((1, 20, 5), (7, 50, 5), (200, 100, 3)):
        numbers = np.arange(m + 1)
        expected = (betabinom(m, k, num_real - k).pmf(numbers) * np.minimum(numbers, k)).sum() / k
        assert _covered_by(m, num_real, k) == pytest.approx(expected)


def test_clipped_measures_are_shares_of_good_samples():
    """Half of the fakes are perfect, half are far away: one half, where plain density and coverage say otherwise."""
    real, good, bad = normal(2000, seed=1), normal(1000, seed=2), normal(1000, seed=3, shift=30.0)
    found = neighbourhoods(real, torch.cat([good, bad]))
    assert found.clipped_density == pytest.approx(0.5, abs=0.05)
    assert found.clipped_coverage == pytest.approx(0.5, abs=0.05)
    whole = neighbourhoods(real, normal(2000, seed=4))
    assert whole.clipped_density == pytest.approx(1, abs=0.05)
    assert whole.clipped_coverage == pytest.approx(1, abs=0.05)


def test_real_outliers_move_the_clipped_density_less():
    real, fake = normal(500, seed=1), normal(500, seed=2, scale=3.0)  # too wide
    outliers = normal(25, seed=3, scale=20.0)
    before, after = neighbourhoods(real, fake), neighbourhoods(torch.cat([real, outliers]), fake)
    assert after.density - before.density > 3 * abs(after.clipped_density - before.clipped_density)
    assert after.precision - before.precision > 0.2


# Kernel distance ---


def test_the_kernel_distance_is_torchmetrics():
    real, fake = normal(400, seed=1), normal(400, seed=2, shift=0.1)
    expected = float(poly_mmd(real.double(), fake.double()))
    assert kernel_distance(real, fake).value == pytest.approx(expected)
    assert math.isnan(kernel_distance(real, fake).error)


def test_the_kernel_distance_has_no_bias_and_its_error_is_its_spread(monkeypatch):
    monkeypatch.setattr("gan.measure.measures.kernel.BLOCK", 100)
    found = [kernel_distance(normal(400, 8, seed), normal(400, 8, 1000 + seed)) for seed in range(12)]
    values = torch.tensor([one.value for one in found])
    spread = float(values.std())
    assert abs(float(values.mean())) < 3 * spread / 12**0.5
    blocks = float(torch.tensor([one.error for one in found]).mean())  # of blocks: larger than that of all pairs
    assert 0.5 < blocks / spread < 4


# Fréchet distance ---


def test_the_standard_error_is_the_spread_over_draws():
    real = gaussian(normal(5000, seed=1))
    draws = [normal(1000, seed=seed, shift=0.3) for seed in range(2, 42)]
    spread = float(torch.tensor([frechet_distance(real, gaussian(fake)) for fake in draws]).std())
    errors = torch.tensor([standard_error(real, fake) for fake in draws])
    assert float(errors.mean()) == pytest.approx(spread, rel=0.4)


def test_the_limit_is_nearer_to_the_distance_of_the_distributions():
    dimension, shift = 32, 0.3
    real = Gaussian(torch.zeros(dimension).double(), torch.eye(dimension).double(), 10**9)
    true = dimension * shift**2
    plain, limits = [], []
    for seed in range(8):
        fake = normal(2000, dimension, seed, shift=shift)
        plain.append(frechet_distance(real, gaussian(fake)) - true)
        limits.append(frechet_limit_of(real, fake, stream(seed)).value - true)
    assert abs(np.mean(limits)) < 0.5 * abs(np.mean(plain))
    assert np.mean(plain) > 0


# Two samples ---


def test_nearest_neighbours_tell_as_scikit_learn_says():
    real, fake = normal(60, seed=1), normal(60, seed=2, shift=0.4)
    both, labels = torch.cat([real, fake]).double().numpy(), np.arange(120) < 60
    right = []
    for left_out in range(120):
        others = np.arange(120) != left_out
        model = KNeighborsClassifier(1).fit(both[others], labels[others])
        right.append(model.predict(both[left_out : left_out + 1])[0] == labels[left_out])
    found = nearest_neighbour_test(real, fake)
    assert (found.real, found.fake) == (np.mean(right[:60]), np.mean(right[60:]))
    assert found.accuracy == np.mean(right)
    copies = nearest_neighbour_test(real, real.clone())
    assert copies.accuracy == 0
    with pytest.raises(ValueError, match="as many real images as fakes"):
        nearest_neighbour_test(real, fake[:50])


@pytest.mark.slow
def test_a_classifier_tells_what_differs_and_only_that():
    same = classifier_test(normal(1000, seed=1), normal(1000, seed=2), stream())
    assert abs(same.accuracy - 0.5) < 0.06
    assert same.p > 0.001
    ring = normal(1000, 2, seed=1)
    ring = 2 * ring / ring.norm(dim=1, keepdim=True)  # the same means and nearly the same covariance
    found = classifier_test(ring, normal(1000, 2, seed=2, scale=1.4), stream())
    assert found.accuracy > 0.7
    assert found.p < 1e-6
    assert (
        classifier_test(ring, normal(1000, 2, seed=2, scale=1.4), stream()) == found
    )  # its random numbers are its own


# Classes ---


def test_rare_and_missing_classes_are_named():
    real = torch.arange(10).repeat(1000)
    fake = real[(real != 7) & ((real != 2) | (torch.arange(10_000) % 50 < 10))]  # no 7, a fifth of the 2s
    found = histogram(real, fake, 10)
    assert found.missing == [7]
    assert found.rare == [2, 7]
    assert found.p < 1e-9
    shares = torch.tensor(found.shares)
    assert found.total_variation == pytest.approx(float((shares - 0.1).abs().sum() / 2))
    assert found.kl > 0.1


def test_equal_shares_are_found_equal():
    false_alarms = 0
    for seed in range(200):
        labels = [torch.randint(10, (1000,), generator=stream(1000 * kind + seed)) for kind in (1, 2)]
        found = histogram(*labels, 10)
        false_alarms += bool(found.rare)
        assert found.missing == []
    assert false_alarms / 200 <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5


def test_the_classifier_score_is_torchmetrics():
    logits = 3 * normal(500, 10)

    class Given(torch.nn.Module):
        num_features = 10

        def forward(self, images):
            return logits

    metric = InceptionScore(feature=Given(), splits=1)
    metric.update(torch.zeros(500, 3, 4, 4, dtype=torch.uint8))
    assert classifier_score(logits) == pytest.approx(float(metric.compute()[0]), rel=1e-4)
    sure = torch.eye(10).repeat(20, 1) * 1000
    assert classifier_score(sure) == pytest.approx(10)
    assert classifier_score(torch.zeros(50, 10)) == pytest.approx(1)


# Copies ---


def test_copies_are_found_and_fresh_draws_are_not():
    train, held_out = normal(2000, 4, seed=1), normal(1000, 4, seed=2)
    fresh = copying(train, held_out, normal(1000, 4, seed=3), stream())
    assert abs(fresh.c_t) < 3
    assert fresh.closer == pytest.approx(0.5, abs=0.05)
    near = train[:1000] + normal(1000, 4, seed=4, scale=0.02)
    copies = copying(train, held_out, near, stream())
    assert copies.c_t < -5
    assert copies.closer > 0.9
    assert (copies.neighbours == torch.arange(1000)).double().mean() > 0.95
    assert copying(train, held_out, normal(1000, 4, seed=5, scale=2.0), stream()).c_t > 3


# Likelihood ---


def test_the_likelihood_is_scikit_learns():
    validation, test, fake = (torch.rand(60, 1, 3, 3, generator=stream(seed)) for seed in (1, 2, 3))
    models = [KernelDensity(bandwidth=float(width)).fit(fake.flatten(1).double().numpy()) for width in WIDTHS]
    scores = [model.score(validation.flatten(1).double().numpy()) for model in models]
    best = int(np.argmax(scores))
    expected = models[best].score_samples(test.flatten(1).double().numpy())
    found = parzen_likelihood(validation, test, fake)
    assert found.width == float(WIDTHS[best])
    assert found.value == pytest.approx(expected.mean())
    assert found.error == pytest.approx(expected.std(ddof=1) / 60**0.5)


# Patches ---


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 14, 20)])
def test_patches_of_equal_images_are_alike_and_of_others_are_not(shape):
    images = torch.rand(200, *shape, generator=stream(1))
    others = torch.rand(200, *shape, generator=stream(2))
    smooth = torch.nn.functional.avg_pool2d(others, 3, stride=1, padding=1)
    same, different = (sliced_wasserstein(images, fakes, stream()) for fakes in (others, smooth))
    assert len(same) == 1 + int(math.log2(min(shape[1:]) // 14))
    assert different[0] > 1.5 * same[0]  # 200 images leave a distance of their own
    assert sliced_wasserstein(images, smooth, stream()) == different


# Variety ---


def test_diversity_is_one_of_real_images_and_falls_within_and_between():
    labels = torch.arange(5).repeat(400)
    centres = 5 * normal(5, seed=9)
    real, fake = (centres[labels] + normal(2000, seed=seed) for seed in (1, 2))
    assert diversity(real, labels, fake, labels) == pytest.approx((1, 1), rel=0.05)
    narrow = diversity(real, labels, centres[labels] + normal(2000, seed=3, scale=0.5), labels)
    assert narrow == pytest.approx((0.25, 1), rel=0.05)
    nearer = diversity(real, labels, 0.5 * centres[labels] + normal(2000, seed=4), labels)
    assert nearer == pytest.approx((1, 0.25), rel=0.05)


def test_modes_of_stacked_digits():
    every = torch.arange(1000)
    assert modes_of(every, 1000) == pytest.approx((1000, 0), abs=1e-9)
    assert modes_of(every[:100].repeat(3), 1000) == pytest.approx((100, math.log(10)))
    assert modes_of(torch.tensor([123] * 5), 1000) == pytest.approx((1, math.log(1000)))


# Discriminators ---


def test_a_calibrated_discriminator_and_one_that_remembers():
    real, fake = normal(20_000, 1, seed=1, shift=0.5)[:, 0], normal(20_000, 1, seed=2, shift=-0.5)[:, 0]
    train = normal(20_000, 1, seed=3, shift=0.5)[:, 0]
    found = diagnostics(train, real, fake)  # x is the log of the ratio of these densities
    assert found.calibration_error < 0.02
    assert found.remembers == pytest.approx(0.5, abs=0.02)
    assert found.p > 0.001
    sure = diagnostics(train + 1, 5 * real, 5 * fake)
    assert sure.calibration_error > 0.1
    assert diagnostics(train + 1, real, fake).gap == pytest.approx(1, abs=0.05)
    assert diagnostics(train + 1, real, fake).p < 1e-9
    assert diagnostics(train, torch.zeros(10), torch.zeros(10)).brier == pytest.approx(0.25)


# What all share ---


@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"two_sample"}))
def test_the_order_of_images_and_the_size_of_batches_change_nothing(name):
    """Where a measure draws at random it may change by what another draw changes: `c_t` by the cells it finds."""
    (one,) = chosen({name: {"images": 400} if name == "patches" else {}})

    def seen(order):
        parts = []
        for kind in range(3):
            features, logits = normal(400, 8, seed=kind), 2 * normal(400, 5, seed=10 + kind)
            images = (40 * normal(400, 49, seed=20 + kind) + 128).clamp(0, 255).to(torch.uint8).view(400, 1, 7, 7)
            mixed = torch.randperm(400, generator=stream(kind)) if order else torch.arange(400)
            labels = torch.arange(400) % 5
            parts.append(Sample(images[mixed], labels[mixed], None, Features(features[mixed], logits[mixed])))
        real, fake, train = parts
        return Seen(real, fake, real, stream(), train, lambda images, _: images.float().mean(dim=(1, 2, 3)) - 128)

    first, mixed = (one.measure.function(seen(order)) for order in (False, True))
    loose = {"frechet_limit": 0.5, "memorisation": 2.0, "patches": 0.3, "kernel": 1e-6, "parzen": 1e-6}.get(name, 1e-6)
    for value in one.measure.values:
        assert mixed[value] == pytest.approx(first[value], rel=loose, abs=loose, nan_ok=True), value
