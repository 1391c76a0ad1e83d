"""Losses against probabilities, hand-computed values and theory; against TensorFlow in test_goldens.py."""

import math

import pytest
import torch
from torch.nn.functional import softplus

from gan.parts.losses import LOSSES, called_real, minimax_generator, non_saturating_generator

cross_entropy = LOSSES["non_saturating"]().discriminator

REAL = torch.linspace(-4, 4, 9, dtype=torch.float64)[:, None]
FAKE = torch.linspace(3, -5, 9, dtype=torch.float64)[:, None]
SUMS = sorted(name for name, make in LOSSES.items() if make().halves is not None)

# Ten real images and ten fakes on five points: how many on each.
P_COUNTS = torch.tensor([1, 2, 4, 2, 1])
Q_COUNTS = torch.tensor([2, 1, 1, 3, 3])
P, Q = P_COUNTS / 10, Q_COUNTS / 10


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def soft(*values):
    """Mean of log(1 + e^x)."""
    return sum(math.log1p(math.exp(value)) for value in values) / len(values)


def on_points(loss, outputs, p=P_COUNTS, q=Q_COUNTS):
    """D's loss as a function of its output at each point."""
    return loss.discriminator(outputs.repeat_interleave(p)[:, None], outputs.repeat_interleave(q)[:, None])


def best_outputs(loss, p=P_COUNTS, q=Q_COUNTS):
    """D's outputs where its loss is smallest, by Newton's method."""
    outputs = torch.zeros(len(p), dtype=torch.float64)
    for _ in range(30):
        hessian = torch.autograd.functional.hessian(lambda x: on_points(loss, x, p, q), outputs)
        (gradient,) = torch.autograd.grad(on_points(loss, outputs.requires_grad_(), p, q), outputs)
        outputs = (outputs - torch.linalg.solve(hessian, gradient)).detach()
    return outputs


def test_cross_entropy_is_the_log_of_probabilities():
    real, fake = torch.sigmoid(REAL), torch.sigmoid(FAKE)
    expected = -(torch.log(real) + torch.log(1 - fake)).mean()  # 001's obj_d
    torch.testing.assert_close(cross_entropy(REAL, FAKE), expected)
    torch.testing.assert_close(non_saturating_generator(REAL, FAKE), -torch.log(fake).mean())  # 001's obj_g
    torch.testing.assert_close(minimax_generator(REAL, FAKE), torch.log(1 - fake).mean())


R, F = column(2, 0), column(1, -3)  # means 1 and -1
BY_HAND = {  # (name, parameters, D's loss, G's loss)
    "non_saturating": ("non_saturating", {}, soft(-2, 0) + soft(1, -3), soft(-1, 3)),
    "smoothed": (
        "non_saturating",
        {"real_label": 0.9},
        0.9 * soft(-2, 0) + 0.1 * soft(2, 0) + soft(1, -3),
        soft(-1, 3),
    ),
    "minimax": ("minimax", {}, soft(-2, 0) + soft(1, -3), -soft(1, -3)),
    "minimax_smoothed": (
        "minimax",
        {"real_label": 0.5},
        0.5 * soft(-2, 0) + 0.5 * soft(2, 0) + soft(1, -3),
        -soft(1, -3),
    ),
    "non_saturating_clipped": ("non_saturating_clipped", {}, soft(-2, 0) + soft(1, -3), soft(-1, 3)),
    "fakes_labelled_real": ("fakes_labelled_real", {}, soft(-2, 0) + soft(-1, 3), soft(-1, 3)),
    "least_squares": ("least_squares", {}, (1 + 1) / 4 + (1 + 9) / 4, (0 + 16) / 4),
    "least_squares_pearson": (
        "least_squares",
        {"real": 1.0, "fake": -1.0, "target": 0.0},  # Mao et al., 2017, eq. 8
        (1 + 1) / 4 + (4 + 4) / 4,
        (1 + 9) / 4,
    ),
    "hinge": ("hinge", {}, (0 + 1) / 2 + (2 + 0) / 2, 1.0),
    "wasserstein": ("wasserstein", {}, -1.0 - 1.0, 1.0),
    "relativistic_pairing": ("relativistic_pairing", {}, soft(-1, -3), soft(1, 3)),
    "relativistic_average": (
        "relativistic_average",
        {},
        soft(-(2 + 1), -(0 + 1)) + soft(1 - 1, -3 - 1),
        soft(-(1 - 1), -(-3 - 1)) + soft(2 + 1, 0 + 1),
    ),
}


def test_every_loss_is_computed_by_hand():
    assert {name for name, *_ in BY_HAND.values()} == LOSSES.keys()


@pytest.mark.parametrize("case", BY_HAND)
def test_values_by_hand(case):
    name, parameters, discriminator, generator = BY_HAND[case]
    loss = LOSSES[name](**parameters)
    assert float(loss.discriminator(R, F)) == pytest.approx(discriminator, rel=1e-12)
    assert float(loss.generator(R, F)) == pytest.approx(generator, rel=1e-12)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_extreme_logits_stay_finite(name):
    """Where the text's log of a sigmoid overflows."""
    loss = LOSSES[name]()
    for real in (-1e4, 1e4):
        for fake in (-1e4, 1e4):
            for function in (loss.discriminator, loss.generator):
                logits = torch.tensor([[real], [fake]], requires_grad=True)
                result = function(logits[:1], logits[1:])
                result.backward()
                assert result.isfinite()
                assert logits.grad.isfinite().all()


def test_keras_clips_probabilities():
    """Within 1e-7 and 1 - 1e-7 nothing changes; beyond them the loss is -log(1e-7) and has no gradient."""
    clipped, plain = LOSSES["non_saturating_clipped"](), LOSSES["non_saturating"]()
    inside = torch.tensor([[-10.0], [16.0]], dtype=torch.float64)
    torch.testing.assert_close(clipped.discriminator(inside, -inside), plain.discriminator(inside, -inside))
    torch.testing.assert_close(clipped.generator(inside, inside), plain.generator(inside, inside))
    on_real, on_fake = clipped.halves
    for half, value in ((on_real, -20.0), (on_fake, 20.0), (lambda logits: clipped.generator(logits, logits), -20.0)):
        logits = torch.tensor([[value]], dtype=torch.float64, requires_grad=True)
        loss = half(logits)
        loss.backward()
        assert float(loss) == pytest.approx(-math.log(1e-7))
        assert float(logits.grad) == 0


@pytest.mark.parametrize("name", SUMS)
def test_the_halves_add_up_to_the_discriminator_s_loss(name):
    loss = LOSSES[name]()
    on_real, on_fake = loss.halves
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), on_real(REAL) + on_fake(FAKE))


def test_only_relativistic_losses_are_no_sum_and_read_real_images_in_the_generator_s_update():
    relativistic = {name for name in LOSSES if name.startswith("relativistic")}
    assert LOSSES.keys() - SUMS == relativistic
    for name, make in LOSSES.items():
        loss, real, fake = make(), REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss.generator(real, fake), real, allow_unused=True)
        assert loss.generator_reads_real == (name in relativistic)
        assert (gradient is not None and (gradient > 0).all()) == (name in relativistic)  # real images lose by it


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_generator_pushes_fake_logits_up(name):
    """Every one of them, below the value that least squares aim at."""
    fake = (FAKE - 2.5).requires_grad_()
    (gradient,) = torch.autograd.grad(LOSSES[name]().generator(REAL, fake), fake)
    assert (gradient < 0).all()


# Label smoothing ------------------------------------------------------------------------------------------------------


def test_without_smoothing_no_bit_changes():
    real, fake = torch.randn(64, 1), torch.randn(64, 1)
    for name in ("non_saturating", "minimax"):
        for loss in (LOSSES[name](), LOSSES[name](real_label=1)):
            assert loss.halves[0] is called_real
            assert torch.equal(loss.discriminator(real, fake), softplus(-real).mean() + softplus(fake).mean())


@pytest.mark.parametrize("name", ["non_saturating", "minimax"])
def test_labels_are_smoothed_on_one_side(name):
    smoothed, plain = LOSSES[name](real_label=0.9), LOSSES[name]()
    probability = torch.sigmoid(REAL)
    expected = -(0.9 * torch.log(probability) + 0.1 * torch.log(1 - probability)).mean()
    torch.testing.assert_close(smoothed.halves[0](REAL), expected)
    assert torch.equal(smoothed.halves[1](FAKE), plain.halves[1](FAKE))
    assert torch.equal(smoothed.generator(REAL, FAKE), plain.generator(REAL, FAKE))


@pytest.mark.parametrize("name", ["non_saturating", "minimax"])
@pytest.mark.parametrize("label", [0.0, -0.1, 1.1, math.nan])
def test_labels_outside_the_unit_interval_are_refused(name, label):
    with pytest.raises(ValueError, match="real_label must be above 0 and at most 1, got"):
        LOSSES[name](real_label=label)


# Minima, D free at every point (p_data and p_g are discrete) ----------------------------------------------------------


@pytest.mark.parametrize("label", [0.7, 1.0])
def test_cross_entropy_s_best_discriminator(label):
    """D* = a p / (p + q) (Goodfellow et al., 2014, proposition 1; Salimans et al., 2016, sec. 3.4)."""
    outputs = best_outputs(LOSSES["non_saturating"](real_label=label))
    torch.testing.assert_close(torch.sigmoid(outputs), (label * P / (P + Q)).double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("real", "fake"), [(1.0, 0.0), (1.0, -1.0), (0.9, 0.2)])
def test_least_squares_best_discriminator(real, fake):
    """(b p + a q) / (p + q) (Mao et al., 2017, eq. 4); the boundary is its value where p = q."""
    loss = LOSSES["least_squares"](real=real, fake=fake)
    best = (real * P + fake * Q) / (P + Q)
    torch.testing.assert_close(best_outputs(loss), best.double(), rtol=0, atol=1e-6)
    equal = torch.ones(3, dtype=torch.int64)
    expected = torch.full((3,), loss.boundary, dtype=torch.float64)
    torch.testing.assert_close(best_outputs(loss, equal, equal), expected)
    assert loss.boundary == (real + fake) / 2


def test_least_squares_needs_a_real_value_above_the_fake_one():
    with pytest.raises(ValueError, match=r"real must be larger than fake, all finite; got real 0\.0, fake 0\.0"):
        LOSSES["least_squares"](real=0.0)


def test_hinge_s_best_discriminator():
    """sign(p - q): at each point the smallest loss on a grid, the others' outputs being fixed."""
    grid = torch.linspace(-3, 3, 61, dtype=torch.float64)
    best = []
    for point in range(len(P)):
        outputs = torch.zeros(len(grid), len(P), dtype=torch.float64)
        outputs[:, point] = grid
        best.append(grid[torch.stack([on_points(LOSSES["hinge"](), row) for row in outputs]).argmin()])
    torch.testing.assert_close(torch.stack(best), torch.sign(P - Q).double())


def test_wasserstein_has_no_best_critic():
    """D's loss falls along p - q everywhere, at the same rate."""
    for scale in (0.0, 1.0, 1000.0):
        outputs = (scale * torch.arange(5, dtype=torch.float64)).requires_grad_()
        (gradient,) = torch.autograd.grad(on_points(LOSSES["wasserstein"](), outputs), outputs)
        torch.testing.assert_close(gradient, (Q - P).double(), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "value"), [("relativistic_pairing", math.log(2)), ("relativistic_average", 2 * math.log(2))]
)
def test_relativistic_equilibrium(name, value):
    """Fakes as the data are: a constant D is stationary, whatever its constant; fakes unlike the data: it is not."""
    for constant in (0.0, -3.0):
        outputs = torch.full((5,), constant, dtype=torch.float64, requires_grad=True)
        loss = on_points(LOSSES[name](), outputs, Q_COUNTS, Q_COUNTS)
        assert float(loss) == pytest.approx(value, rel=1e-12)
        (gradient,) = torch.autograd.grad(loss, outputs)
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-12)
        (gradient,) = torch.autograd.grad(on_points(LOSSES[name](), outputs), outputs)
        assert torch.equal(torch.sign(gradient), torch.sign(Q - P).double())


@pytest.mark.parametrize("name", ["relativistic_pairing", "relativistic_average"])
def test_relativistic_losses_see_differences_only(name):
    """And G's loss is D's with the two exchanged."""
    loss = LOSSES[name]()
    for function in (loss.discriminator, loss.generator):
        torch.testing.assert_close(function(REAL + 5, FAKE + 5), function(REAL, FAKE))
    torch.testing.assert_close(loss.generator(REAL, FAKE), loss.discriminator(FAKE, REAL))


def test_minimax_gradient_vanishes_where_the_discriminator_is_sure():
    """C12: at D(G(z)) -> 0 minimax's gradient is D(G(z)) itself, the non-saturating one is D(G(z)) - 1."""
    sure = torch.tensor([[-8.0]], requires_grad=True)
    (minimax,) = torch.autograd.grad(minimax_generator(sure, sure), sure)
    (non_saturating,) = torch.autograd.grad(non_saturating_generator(sure, sure), sure)
    torch.testing.assert_close(minimax, -torch.sigmoid(sure))
    torch.testing.assert_close(non_saturating, torch.sigmoid(sure) - 1)


def test_equilibrium_is_two_log_two():
    """D = 1/2 gives log 4 (Goodfellow et al., 2014, theorem 1), and is D's minimum where fakes equal the data."""
    zero = torch.zeros(5, 1, dtype=torch.float64, requires_grad=True)
    loss = cross_entropy(zero, zero)
    torch.testing.assert_close(loss, torch.log(torch.tensor(4.0, dtype=torch.float64)))
    (gradient,) = torch.autograd.grad(loss, zero)
    torch.testing.assert_close(gradient, torch.zeros_like(zero))
