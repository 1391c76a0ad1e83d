"""The benchmark: its bare loop does what the game does, and its limit counts the products of a step."""

import itertools

import pytest
import torch
from benchmark_parts import Bare, Products
from support import EVERY, Digits, same, tiny, train, weights
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gan.engine.game import AdversarialModule

# ADA moves its state in a hook after the step, which needs the trainer.
LOOPS = [name for name, variant in EVERY.items() if variant.after_step is AdversarialModule.after_step]


@pytest.mark.parametrize("variant", LOOPS)
def test_the_bare_loop_is_the_game(variant):
    trained, module = tiny(variant), tiny(variant)
    train(trained, 2)
    loop = Bare(module, itertools.cycle(Digits(8)))
    for _ in range(2):
        loop.step()
    assert same(weights(trained), weights(module))


class Layers(nn.Module):
    """Each kind of layer that makes products."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, 6, 3, stride=2), nn.Conv2d(6, 4, 3, padding=1), nn.ConvTranspose2d(4, 3, 5, stride=2)
        )
        self.linear = nn.Linear(3 * 15 * 15, 7)

    def forward(self, images):
        hidden = self.linear(self.layers(images).flatten(1))
        return hidden @ hidden.T + torch.bmm(hidden[:, None], hidden[..., None]).squeeze()


def test_the_limit_counts_what_pytorch_s_counter_counts():
    images = torch.randn(5, 2, 13, 13, requires_grad=True)
    network = Layers()
    with Products() as products, FlopCounterMode(display=False) as counter:
        network(images).sum().backward()
    assert products.flop == counter.get_total_flops() > 0


def test_a_convolution_is_counted_as_the_product_that_it_is():
    images, weight = torch.randn(5, 2, 13, 13, requires_grad=True), torch.randn(6, 2, 3, 3, requires_grad=True)
    with Products() as products:
        torch.conv2d(images, weight, stride=2).sum().backward()
    pixels = 5 * 6 * 6
    sizes = [(pixels, 18, 6), (6, pixels, 18), (pixels, 6, 18)]  # forward, to the weights, to the images
    assert products.counts == {(*size, torch.float32): 1 for size in sizes}
