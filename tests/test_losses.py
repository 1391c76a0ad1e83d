"""Losses against probabilities and theory; against TensorFlow in test_goldens.py."""

import math

import pytest
import torch

from gan.losses import LOSSES, minimax_generator, non_saturating_generator

cross_entropy = LOSSES["non_saturating"].discriminator

REAL = torch.linspace(-4, 4, 9, dtype=torch.float64)[:, None]
FAKE = torch.linspace(3, -5, 9, dtype=torch.float64)[:, None]


def test_cross_entropy_is_the_log_of_probabilities():
    real, fake = torch.sigmoid(REAL), torch.sigmoid(FAKE)
    expected = -(torch.log(real) + torch.log(1 - fake)).mean()  # 001's obj_d
    torch.testing.assert_close(cross_entropy(REAL, FAKE), expected)
    torch.testing.assert_close(non_saturating_generator(REAL, FAKE), -torch.log(fake).mean())  # 001's obj_g
    torch.testing.assert_close(minimax_generator(REAL, FAKE), torch.log(1 - fake).mean())


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_extreme_logits_stay_finite(name):
    """Where the text's log of a sigmoid overflows."""
    loss = LOSSES[name]
    for value in (-1e4, 1e4):
        logits = torch.full((4, 1), value, requires_grad=True)
        for function in (loss.discriminator, loss.generator):
            result = function(logits, logits)
            result.backward()
            assert result.isfinite()
            assert logits.grad.isfinite().all()


def test_keras_clips_probabilities():
    """Within 1e-7 and 1 - 1e-7 nothing changes; beyond them the loss is -log(1e-7) and has no gradient."""
    clipped, plain = LOSSES["non_saturating_clipped"], LOSSES["non_saturating"]
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


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_halves_add_up_to_the_discriminator_s_loss(name):
    on_real, on_fake = LOSSES[name].halves
    torch.testing.assert_close(LOSSES[name].discriminator(REAL, FAKE), on_real(REAL) + on_fake(FAKE))


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
