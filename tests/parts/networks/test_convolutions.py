"""Convolutions that are computed in another way give what PyTorch's give. TensorFlow's vectors: test_goldens.py."""

import pytest
import torch
from torch import nn

from gan.parts.networks.convolutions import (
    Conv2d,
    ConvTranspose2d,
    EnlargedConv2d,
    PooledConv2d,
    SameConv2d,
    SameConvTranspose2d,
    UpsampledConv2d,
)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (5, 2, 2), (3, 1, 1), (5, 3, 0)])
@pytest.mark.parametrize("inner", [1, 3])
@pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])
def test_a_convolution_and_its_gradients_of_both_orders_are_pytorchs(kind, inner, kernel, stride, padding):
    """Both orders: a gradient penalty needs the gradient of a gradient."""
    channels = (inner, 3) if kind is Conv2d else (3, inner)
    layer = kind(*channels, kernel, stride=stride, padding=padding).double()
    images = torch.randn(2, channels[0], 10, 12, dtype=torch.float64, requires_grad=True)
    found = []
    for forward in (layer.forward, super(kind, layer).forward):
        maps = forward(images)
        inputs = (images, layer.weight, layer.bias)
        first = torch.autograd.grad(maps.pow(3).sum(), inputs, create_graph=True)
        found.append((maps, *first, *torch.autograd.grad(first[0].pow(2).sum(), (images, layer.weight))))
    torch.testing.assert_close(*found)


def test_a_convolution_of_one_channel_is_a_product_in_mixed_precision_too():
    images, layer = torch.rand(2, 1, 8, 8), Conv2d(1, 3, 4, stride=2, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        maps, plain = layer(images), nn.functional.conv2d(images, layer.weight, layer.bias, 2, 1)
    assert maps.dtype == plain.dtype == torch.bfloat16
    torch.testing.assert_close(maps, plain, atol=0.02, rtol=0.02)  # sums of 16 numbers with 8 bits


@pytest.mark.parametrize("size", [4, 7])
def test_biases_are_added_once(size):
    for layer in (SameConv2d(3, 2, 5, stride=2), SameConvTranspose2d(3, 2, 5, 2, (size, size))):
        images = torch.randn(2, 3, *([size] * 2 if isinstance(layer, SameConv2d) else [-(-size // 2)] * 2))
        without = layer(images)
        with torch.no_grad():
            layer.bias += torch.tensor([1.0, -2.0])
        torch.testing.assert_close(layer(images) - without, torch.ones_like(without) * layer.bias.new([[[1]], [[-2]]]))


@pytest.mark.parametrize(("size", "kernel", "pool"), [(28, 4, 2), (7, 5, 2), (3, 5, 2), (7, 3, 1), (8, 3, 3)])
def test_a_pooled_convolution_has_the_sizes_of_a_strided_one(size, kernel, pool):
    layer, strided = PooledConv2d(1, 3, kernel, pool), SameConv2d(1, 3, kernel, stride=pool)
    images = torch.randn(2, 1, size, size)
    maps = layer(images)
    assert maps.shape == strided(images).shape
    before, after = (kernel - 1) // 2, kernel // 2
    whole = nn.functional.conv2d(nn.functional.pad(images, (before, after) * 2), layer.weight, layer.bias)
    assert whole.shape[-2:] == (size, size)
    expected = [
        whole[..., i : i + pool, j : j + pool].amax((-2, -1))
        for i in range(0, size, pool)
        for j in range(0, size, pool)
    ]
    torch.testing.assert_close(maps.flatten(2), torch.stack(expected, dim=2))


def test_an_enlarged_convolution_is_an_upsampling_and_a_convolution():
    layer, images = EnlargedConv2d(3, 2, 4), torch.randn(2, 3, 5, 6)
    doubled = images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    plain = nn.functional.conv2d(nn.functional.pad(doubled, (1, 2, 1, 2)), layer.weight, layer.bias)
    torch.testing.assert_close(layer(images), plain)


def test_upsampled_convolution_is_an_upsampling_and_a_convolution():
    layer = UpsampledConv2d(3, 4).double()
    images = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    plain = torch.nn.functional.interpolate(images, scale_factor=2, mode="nearest")
    plain = torch.nn.functional.conv2d(plain, layer.weight, layer.bias, padding=2)
    torch.testing.assert_close(layer(images), plain)
    direction = torch.randn_like(plain)
    inputs = (images, layer.weight, layer.bias)
    ours, theirs = (torch.autograd.grad((y * direction).sum(), inputs) for y in (layer(images), plain))
    torch.testing.assert_close(ours, theirs)
