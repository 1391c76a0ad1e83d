"""Initial distributions: range and spread; against TensorFlow and Keras in test_goldens.py."""

import pytest
import torch
from torch import nn

from gan.parts.inits import (
    constant,
    glorot_normal,
    glorot_uniform,
    he_normal,
    initialise,
    keep,
    normal,
    orthogonal,
    truncated_normal,
    uniform,
)


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


# (weight, fan_in, fan_out); the transposed convolution's are those of its layout: 60 × 16 "in", 30 × 16 "out"
FANS = [
    (nn.Linear(300, 200).weight, 300, 200),
    (nn.Conv2d(30, 60, 4).weight, 30 * 16, 60 * 16),
    (nn.ConvTranspose2d(30, 60, 4).weight, 60 * 16, 30 * 16),
]


@pytest.mark.parametrize(("weight", "fan_in", "fan_out"), FANS)
def test_glorot_normal_and_he_normal_are_normals_of_their_fans(weight, fan_in, fan_out):
    def check(init, variance, **parameters):
        tensor = drawn(init, weight.shape, **parameters)
        assert tensor.std().item() == pytest.approx(variance**0.5, rel=0.015)
        assert tensor.mean().item() == pytest.approx(0.0, abs=5 * (variance / tensor.numel()) ** 0.5)
        assert (tensor.abs() < variance**0.5).float().mean().item() == pytest.approx(0.6827, abs=0.01)  # erf(1/√2)

    check(glorot_normal, 2 / (fan_in + fan_out))
    check(he_normal, 2 / fan_in)
    check(he_normal, 2 / ((1 + 0.2**2) * fan_in), slope=0.2)
    check(he_normal, 1 / fan_in, slope=1.0)  # a linear layer


def test_he_normal_keeps_the_size_of_activations():
    """Through 10 leaky layers E[x²] neither grows nor shrinks (He et al., 2015, sec. 2.2); Glorot's halves per ReLU."""
    activations = torch.randn(200, 1000, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    for _ in range(10):
        weight = torch.empty(1000, 1000)
        he_normal(weight, slope=0.2)
        linear = activations @ weight.T
        activations = torch.where(linear > 0, linear, 0.2 * linear)
    # E[x²] is kept before the non-linearity: (1 + slope²) / 2 of it is left behind the last
    assert linear.square().mean().item() == pytest.approx(2 / (1 + 0.2**2), rel=0.1)


@pytest.mark.parametrize("gain", [1.0, 2**0.5])
@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (8, 4, 3, 3), (40, 2, 4, 4)])  # wide and tall
def test_orthogonal_has_orthonormal_rows_or_columns_times_its_gain(shape, gain):
    matrix = drawn(orthogonal, shape, gain=gain).flatten(1).double()
    fewer = min(matrix.shape)
    products = matrix @ matrix.T if matrix.shape[0] == fewer else matrix.T @ matrix
    torch.testing.assert_close(products, gain**2 * torch.eye(fewer).double(), atol=1e-5, rtol=0)


def test_orthogonal_s_rows_have_no_preferred_sign():
    """Uniform over the orthogonal group; a bare QR decomposition is not."""
    torch.manual_seed(0)
    matrices = torch.empty(500, 3, 3)
    for matrix in matrices:
        orthogonal(matrix)
    assert matrices.mean(dim=0).abs().max().item() < 0.12  # each entry has variance 1/3: 4.6 standard errors


@pytest.mark.parametrize("init", [he_normal, orthogonal, glorot_normal, glorot_uniform])
def test_fans_need_a_matrix(init):
    message = f"{init.__name__} is for weights, of two dimensions or more; give a constant for biases"
    with pytest.raises(ValueError, match=message):
        drawn(init, (10,))
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 1))
    with pytest.raises(ValueError, match=message):
        initialise(network, keep, init)
    initialise(network, init, keep)


def test_constant_and_keep():
    assert (drawn(constant, value=0.1) == torch.tensor(0.1)).all()
    assert drawn(keep).isnan().all()
