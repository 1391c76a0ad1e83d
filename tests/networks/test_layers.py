"""TensorFlow's SAME padding: against TensorFlow's vectors, and against its definition in numpy."""

import numpy as np
import pytest
import torch

from gan.networks.layers import SameConv2d, SameConvTranspose2d, normalises_by_batch
from gan.variants import VARIANTS

CONVOLUTIONS = ["conv_k5s2_28", "conv_k5s2_14", "conv_k5s2_7", "conv_k3s2_28", "conv_k3s2_8", "conv_k3s1_4"]
TRANSPOSED = ["convT_k5s2_2to4", "convT_k5s2_4to7", "convT_k5s2_7to14", "convT_k5s2_14to28", "convT_k3s1_28"]


def channels_first(array):
    return torch.tensor(array).permute(0, 3, 1, 2)


def convolution(weight, stride):
    """With TensorFlow's kernel (k, k, in, out)."""
    layer = SameConv2d(weight.shape[2], weight.shape[3], weight.shape[0], stride=stride, bias=False)
    layer.weight.data = torch.tensor(weight).permute(3, 2, 0, 1).contiguous()
    return layer


def transposed(weight, stride, size):
    """With TensorFlow's kernel (k, k, out, in)."""
    layer = SameConvTranspose2d(weight.shape[3], weight.shape[2], weight.shape[0], stride, size, bias=False)
    layer.weight.data = torch.tensor(weight).permute(3, 2, 0, 1).contiguous()
    return layer


@pytest.mark.parametrize("key", CONVOLUTIONS)
def test_convolution_matches_tensorflow(goldens, key):
    layer = convolution(goldens[f"{key}/w"], 2 if "s2" in key else 1)
    expected = channels_first(goldens[f"{key}/y"])
    torch.testing.assert_close(layer(channels_first(goldens[f"{key}/x"])), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("key", TRANSPOSED)
def test_transposed_convolution_matches_tensorflow(goldens, key):
    expected = channels_first(goldens[f"{key}/y"])
    layer = transposed(goldens[f"{key}/w"], 2 if "s2" in key else 1, tuple(expected.shape[-2:]))
    torch.testing.assert_close(layer(channels_first(goldens[f"{key}/x"])), expected, rtol=1e-5, atol=1e-5)


# (size, kernel, stride); maps smaller than the kernel take another path
SIZES = [(28, 5, 2), (7, 5, 2), (4, 3, 1), (9, 3, 2), (6, 1, 2), (4, 5, 2), (2, 5, 2), (1, 3, 1)]


def same_by_definition(x, w, stride):
    """Output (i, j) sees input rows i * stride - before …, zero outside; before = total // 2."""
    n, height, width, _ = x.shape
    k = w.shape[0]
    rows, columns = -(-height // stride), -(-width // stride)
    top = max((rows - 1) * stride + k - height, 0) // 2
    left = max((columns - 1) * stride + k - width, 0) // 2
    y = np.zeros((n, rows, columns, w.shape[3]))
    for i, j, a, b in np.ndindex(rows, columns, k, k):
        r, c = i * stride - top + a, j * stride - left + b
        if 0 <= r < height and 0 <= c < width:
            y[:, i, j] += x[:, r, c] @ w[a, b]
    return y


@pytest.mark.parametrize(("size", "kernel", "stride"), SIZES)
def test_convolution_is_its_definition_and_the_transposed_one_its_adjoint(size, kernel, stride):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, size, size, 3))
    w = rng.standard_normal((kernel, kernel, 3, 4))
    y = same_by_definition(x, w, stride)
    torch.testing.assert_close(convolution(w, stride)(channels_first(x)), channels_first(y))
    # <conv(x), v> = <x, conv_transpose(v)>, with the same kernel
    v = rng.standard_normal(y.shape)
    back = transposed(w, stride, (size, size))(channels_first(v))
    assert float((channels_first(x) * back).sum()) == pytest.approx((y * v).sum())


@pytest.mark.parametrize("size", [4, 7])
def test_biases_are_added_once(size):
    for layer in (SameConv2d(3, 2, 5, stride=2), SameConvTranspose2d(3, 2, 5, 2, (size, size))):
        images = torch.randn(2, 3, *([size] * 2 if isinstance(layer, SameConv2d) else [-(-size // 2)] * 2))
        without = layer(images)
        with torch.no_grad():
            layer.bias += torch.tensor([1.0, -2.0])
        torch.testing.assert_close(layer(images) - without, torch.ones_like(without) * layer.bias.new([[[1]], [[-2]]]))


def test_strided_dcgan_has_the_text_s_shapes_and_parameters():
    module = VARIANTS["StridedDCGAN"]()
    g, d = module.generator, module.discriminator
    shapes = []
    for layer in (*g.deconvolutions, *d.convolutions):
        layer.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape[1:])))
    d(g(torch.randn(2, 100)))
    assert shapes == [(256, 4, 4), (128, 7, 7), (64, 14, 14), (1, 28, 28),
                      (64, 14, 14), (128, 7, 7), (256, 4, 4), (512, 2, 2)]  # fmt: skip
    count = {name: sum(p.numel() for p in layer.parameters()) for name, layer in module.named_modules()}
    assert [count[f"discriminator.convolutions.{i}"] for i in range(4)] == [1664, 204_928, 819_456, 3_277_312]
    assert [count[f"discriminator.norms.{i}"] for i in range(4)] == [0, 256, 512, 1024]
    assert count["discriminator.judge"] == 2 * 2 * 512 + 1
    assert [count[f"generator.deconvolutions.{i}"] for i in range(4)] == [3_276_800, 819_200, 204_800, 1600]
    assert [count[f"generator.norms.{i}"] for i in range(4)] == [1024, 512, 256, 128]
    assert count["generator.project"] == 100 * 2048 + 2048
    assert normalises_by_batch(g)
    assert normalises_by_batch(d)
    assert not list(module.buffers())  # nothing that sampling could move
