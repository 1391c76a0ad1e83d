"""Dropout: exact probabilities, masks from the stream that is handed in."""

import math

import pytest
import torch

from gan.base.streams import stream
from gan.parts.networks.dropout import Dropout, drop_mask

CPU = torch.device("cpu")
COUNT = 2_000_000


@pytest.mark.parametrize("p", [1 / 1024, 0.1, 0.25, 1 / 3, 0.4, 0.5, 0.75, 0.999])
def test_the_share_that_is_dropped_is_p(p):
    """Within 4.5 standard deviations of a binomial distribution; a mask of whole 256ths would fail for most p."""
    dropped = int(drop_mask((COUNT,), p, CPU, stream("dropout", 1)).sum())
    assert abs(dropped - COUNT * p) < 4.5 * math.sqrt(COUNT * p * (1 - p))


def test_a_probability_below_a_byte_s_step_is_no_zero():
    """All of it comes from the second random number."""
    dropped = int(drop_mask((COUNT,), 1e-3, CPU, stream("dropout", 2)).sum())
    assert abs(dropped - 2000) < 200


@pytest.mark.parametrize("p", [0.3, 0.5])
@pytest.mark.parametrize("lag", [1, 7, 8, 9])  # bytes of one random word, and of neighbouring ones
def test_elements_are_independent_of_their_neighbours(p, lag):
    mask = drop_mask((COUNT,), p, CPU, stream("dropout", 3)).double() - p
    correlation = float((mask[:-lag] * mask[lag:]).mean()) / (p * (1 - p))
    assert abs(correlation) < 4.5 / math.sqrt(COUNT)


def test_masks_come_from_the_stream_and_from_nowhere_else():
    before = torch.get_rng_state()
    masks = [drop_mask((3, 5, 7), 0.3, CPU, stream("dropout", seed)) for seed in (1, 1, 2)]
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_kept_is_divided_by_its_probability_as_torch_does():
    layer, images = Dropout(0.3), torch.randn(4, 3, 5, 5, requires_grad=True)
    layer.mask_stream = stream("dropout", 1)
    kept = ~drop_mask(tuple(images.shape), 0.3, CPU, stream("dropout", 1))
    out = layer(images)
    assert torch.equal(out, images * (kept.float() / (1 - 0.3)))  # the formula of torch.nn.functional.dropout
    (gradient,) = torch.autograd.grad(out.sum(), images)
    assert torch.equal(gradient, kept.float() / (1 - 0.3))


def test_whole_channels():
    layer = Dropout(0.5, channels=True)
    layer.mask_stream = stream("dropout", 1)
    out = layer(torch.ones(16, 8, 3, 3)).flatten(2)
    assert bool((out == out[:, :, :1]).all())
    assert {0.0, 2.0} == set(out.unique().tolist())


@pytest.mark.parametrize(("p", "training", "expected"), [(0.0, True, 1.0), (1.0, True, 0.0), (0.5, False, 1.0)])
def test_ends_and_evaluation_draw_nothing(p, training, expected):
    layer, before = Dropout(p).train(training), torch.get_rng_state()
    assert bool((layer(torch.ones(9)) == expected).all())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="probability from 0 to 1"):
        Dropout(p)
