"""Initial distributions: range and spread; against TensorFlow and Keras in test_goldens.py."""

import pytest
import torch

from gan.inits import constant, glorot_uniform, keep, normal, truncated_normal, uniform


def drawn(init, shape=(400, 500), **parameters):
    torch.manual_seed(0)
    tensor = torch.full(shape, torch.nan)
    init(tensor, **parameters)
    return tensor


def test_uniform():
    tensor = drawn(uniform, bound=0.05)
    assert tensor.abs().max().item() == pytest.approx(0.05, rel=1e-3)
    assert tensor.std().item() == pytest.approx(0.05 / 3**0.5, rel=0.01)


def test_normal():
    tensor = drawn(normal, std=0.02, mean=1.0)
    assert tensor.mean().item() == pytest.approx(1.0, abs=1e-3)
    assert tensor.std().item() == pytest.approx(0.02, rel=0.01)


def test_truncated_normal_is_cut_at_two_sigma():
    tensor = drawn(truncated_normal, std=0.04)
    assert tensor.abs().max().item() == pytest.approx(0.08, rel=1e-2)
    assert tensor.abs().max() <= 0.08
    assert tensor.std().item() == pytest.approx(0.8796 * 0.04, rel=0.01)  # of a normal cut at ±2


def test_glorot_uniform_is_its_bound():
    assert drawn(glorot_uniform).abs().max().item() == pytest.approx((6 / 900) ** 0.5, rel=1e-3)


def test_constant_and_keep():
    assert (drawn(constant, value=0.1) == torch.tensor(0.1)).all()
    assert drawn(keep).isnan().all()
