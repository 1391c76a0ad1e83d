"""Penalties in closed form."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan.penalties import l2


def test_l2_is_half_the_sum_of_squared_weights_without_biases():
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).double()
    images = torch.zeros(1, 2)
    expected = (network[0].weight.square().sum() + network[2].weight.square().sum()) / 2
    torch.testing.assert_close(l2(network, images, images), expected)
    (gradient,) = torch.autograd.grad(l2(network, images, images), network[0].weight)
    torch.testing.assert_close(gradient, network[0].weight)


def test_l2_sees_the_free_weight_under_spectral_norm():
    layer = spectral_norm(nn.Linear(4, 4))
    torch.testing.assert_close(l2(layer, None, None), layer.parametrizations.weight.original.square().sum() / 2)
