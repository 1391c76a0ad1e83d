"""Each sign of a training that fails, on images and numbers made for it."""

import math

import pytest
import torch

from gan.data.sources.mnist import read_embedded
from gan.runs.signs import ADVICE, PROBABILITIES, SIGNS, Found, collapsed, dead, nan, not_finite, saturated

REAL = torch.as_tensor(read_embedded()[0][::20]).view(-1, 1, 28, 28)
LEARNING = {"probability/real": 0.995, "probability/fake": 0.001, "gradient_norm/generator": 6.0}
FAKES = REAL[:64]


def found(**values) -> Found:
    return Found(**{"fakes": FAKES, "real": REAL, "loss": "non_saturating", "before": FAKES.flip(0)} | values)


def test_real_digits_show_no_sign():
    for sign, look in SIGNS.items():
        assert look(found(scalars=LEARNING | {"loss/generator": 1.0})) == "", sign
    assert ADVICE.keys() == SIGNS.keys()


def test_what_cannot_be_seen_is_neither_a_sign_nor_the_end_of_one():
    blind = found(real=None, before=None, loss="wasserstein")
    assert [look(blind) for look in SIGNS.values()] == ["", None, None, None]
    lost = found(lost="2 of 8", scalars=LEARNING)
    assert [look(lost) for look in SIGNS.values()] == ["2 of 8", None, None, None]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite(value):
    assert nan(found(scalars={"loss/generator": value, "probability/real": 0.5})) == f"loss/generator is {value}"
    module = torch.nn.Linear(2, 2)
    assert not_finite(module) == ""
    module.bias.data[1] = value
    assert not_finite(module) == "1 of 2 tensors of weights are not finite, bias is the first"


@pytest.mark.parametrize("loss", PROBABILITIES)
@pytest.mark.parametrize(("real", "fake"), [(0.995, 0.001), (0.999, 0.999)])
def test_a_sure_d_is_a_sign_only_without_a_gradient(loss, real, fake):
    told = {"probability/real": real, "probability/fake": fake}
    still = told | {"gradient_norm/generator": 0.01}
    assert saturated(found(loss=loss, scalars=still)) == (
        f"D is sure (real {real:.3f}, fake {fake:.3f}), and G's gradient has a norm of 0.01"
    )
    assert saturated(found(loss=loss, scalars=still | {"probability/real": 0.98})) == ""
    assert saturated(found(loss=loss, scalars=told | {"gradient_norm/generator": 0.3})) == ""
    assert saturated(found(loss=loss, scalars=told | {"gradient_norm/generator": 0.3}, level=10.0)), "it had more"
    assert saturated(found(loss=loss, scalars=told)) is None, "nobody told the norm"


@pytest.mark.parametrize("loss", ["hinge", "wasserstein", "least_squares", "relativistic_pairing", "mylab.loss"])
def test_a_loss_without_probabilities_does_not_saturate(loss):
    assert saturated(found(loss=loss, scalars=LEARNING | {"gradient_norm/generator": 0.0})) is None


def test_one_image_for_all_noise_is_a_collapse_and_two_are_none():
    one = FAKES[:1].repeat(64, 1, 1, 1)
    assert collapsed(found(fakes=one)) == "fakes of different noise vary 0.0% as much as real images"
    assert collapsed(found(fakes=one, young=True)) is None
    noisy = one.float() + torch.randn(one.shape, generator=torch.Generator().manual_seed(0)) * 2
    assert collapsed(found(fakes=noisy.clamp(0, 255).to(torch.uint8)))
    assert collapsed(found(fakes=torch.cat([FAKES[:1], FAKES[-1:]]).repeat(32, 1, 1, 1))) == ""


def test_pixels_at_the_ends_are_dead_if_they_stay_there():
    ends = (FAKES > 127).to(torch.uint8) * 255
    assert dead(found(fakes=ends, before=ends)) == (
        "100.0% of G's pixels are at the ends of their range (real images: 81.8%), and 0.0% changed"
    )
    assert dead(found(fakes=ends, before=255 - ends)) == ""
    assert dead(found(fakes=FAKES, before=FAKES)) == "", "a G that stands still is not at the ends"
    bits = (REAL > 127).to(torch.uint8) * 255
    assert dead(found(fakes=ends, before=ends, real=bits)) == "", "such are the real images"
