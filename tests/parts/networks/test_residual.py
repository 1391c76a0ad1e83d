"""Residual networks against slow written-out forms."""

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu

from gan.base.errors import UserError
from gan.parts.inits import glorot_uniform, initialise
from gan.parts.networks.layers import differs_in_inference, has_batch_statistics
from gan.parts.networks.residual import (
    DownBlock,
    DownConv2d,
    ResidualDiscriminator,
    ResidualGenerator,
    UpBlock,
    UpConv2d,
)

SHAPES = [(1, 28, 28), (3, 32, 32)]
LABELS = torch.tensor([2, 0, 1, 2])


def same_with_gradients(ours, theirs, inputs):
    torch.testing.assert_close(ours, theirs)
    direction = torch.randn_like(theirs)
    gradients = [torch.autograd.grad((y * direction).sum(), inputs) for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def up(images):
    return interpolate(images, scale_factor=2, mode="nearest")


def test_up_convolution_is_an_upsampling_and_a_convolution():
    layer = UpConv2d(3, 4).double()
    images = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    plain = conv2d(up(images), layer.weight, layer.bias, padding=1)
    assert plain.shape == (2, 4, 10, 12)
    same_with_gradients(layer(images), plain, (images, layer.weight, layer.bias))


def test_down_convolution_is_a_convolution_and_a_pooling():
    layer = DownConv2d(3, 4).double()
    images = torch.randn(2, 3, 10, 12, dtype=torch.float64, requires_grad=True)
    plain = avg_pool2d(conv2d(images, layer.weight, layer.bias, padding=1), 2)
    same_with_gradients(layer(images), plain, (images, layer.weight, layer.bias))


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("out", [3, 5])
def test_up_block_written_out(norm, out):
    """x -> shortcut of the upsampled x + branch, as in the papers; the width's change alone needs a 1×1 convolution."""
    torch.manual_seed(0)
    block = UpBlock(3, out, norm, torch.relu).double()
    if norm == "none":
        nn.init.constant_(block.scale, 0.7)
    images = torch.randn(4, 3, 5, 6, dtype=torch.float64, requires_grad=True)

    def normalised(maps):
        if norm == "none":
            return maps
        mean, variance = maps.mean((0, 2, 3), keepdim=True), maps.var((0, 2, 3), correction=0, keepdim=True)
        return (maps - mean) / (variance + 1e-5).sqrt()

    branch = conv2d(up(torch.relu(normalised(images))), block.up.weight, block.up.bias, padding=1)
    branch = conv2d(torch.relu(normalised(branch)), block.convolution.weight, block.convolution.bias, padding=1)
    assert isinstance(block.shortcut, nn.Identity) == (out == 3)
    shortcut = up(images) if out == 3 else conv2d(up(images), block.shortcut.weight)
    plain = shortcut + (0.7 * branch if norm == "none" else branch)
    same_with_gradients(block(images), plain, (images, block.up.weight, block.convolution.weight))


@pytest.mark.parametrize("out", [3, 5])
def test_down_block_written_out(out):
    torch.manual_seed(0)
    block = DownBlock(3, out, "none", leaky_relu).double()
    images = torch.randn(4, 3, 10, 12, dtype=torch.float64, requires_grad=True)
    branch = conv2d(leaky_relu(images), block.convolution.weight, block.convolution.bias, padding=1)
    branch = conv2d(leaky_relu(branch), block.down.weight, block.down.bias, padding=1)
    shortcut = images if out == 3 else conv2d(images, block.shortcut.weight)
    plain = avg_pool2d(shortcut + branch, 2)
    same_with_gradients(block(images), plain, (images, block.down.weight, block.convolution.weight))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("conditional", [False, True])
def test_generator_s_shapes(shape, norm, conditional):
    network = ResidualGenerator(8, shape, 3, channels=[5, 4, 4], norm=norm, conditional=conditional)
    images = network(100 * torch.randn(4, 8), LABELS)
    assert images.shape == (4, *shape)
    assert -1 <= images.min() < images.max() <= 1
    assert network.output_range == (-1, 1)
    assert network.reads_labels is conditional
    assert len(network.blocks) == 2
    assert has_batch_statistics(network) == differs_in_inference(network) == (norm == "batch")


def test_labels_change_a_conditional_generator_s_images():
    network = ResidualGenerator(8, (1, 28, 28), 3, channels=[5, 4], norm="none", conditional=True)
    latent = torch.randn(4, 8)
    assert (network(latent, LABELS) - network(latent, (LABELS + 1) % 3)).flatten(1).norm(dim=1).min() > 1e-6
    torch.testing.assert_close(network(latent), network(latent, torch.tensor([0, 1, 2, 0])))


def test_generator_without_norm_starts_as_its_shortcuts():
    """Branches weigh 0 at first, and their scalars get gradients."""
    torch.manual_seed(0)
    network = ResidualGenerator(8, (1, 28, 28), 3, channels=[5, 4, 3], norm="none")
    initialise(network, glorot_uniform, nn.init.zeros_)
    latent = torch.randn(4, 8)
    hidden = network.project(latent).view(4, 5, 7, 7)
    for block in network.blocks:
        hidden = block.shortcut(up(hidden))
    images = network(latent)
    torch.testing.assert_close(images, torch.tanh(network.paint(torch.relu(hidden))))
    images.square().mean().backward()
    assert all(block.scale.grad.abs() > 0 for block in network.blocks)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("labels", ["none", "concat", "projection"])
@pytest.mark.parametrize("norm", ["none", "spectral"])
@pytest.mark.parametrize("minibatch_stddev", [False, True])
def test_discriminator_s_shapes(shape, labels, norm, minibatch_stddev):
    network = ResidualDiscriminator(
        shape, 3, channels=[3, 4, 5], norm=norm, labels=labels, minibatch_stddev=minibatch_stddev, outputs=2
    )
    images = torch.randn(4, *shape)
    assert network(images, LABELS).shape == network(images).shape == (4, 2)
    assert network.reads_labels == (labels != "none")
    assert len(network.blocks) == 2
    assert has_batch_statistics(network) == minibatch_stddev
    assert not differs_in_inference(network)


@pytest.mark.parametrize("labels", ["none", "concat", "projection"])
@pytest.mark.parametrize("minibatch_stddev", [False, True])
def test_discriminator_written_out(labels, minibatch_stddev):
    torch.manual_seed(0)
    network = ResidualDiscriminator(
        (1, 28, 28), 3, channels=[3, 4], labels=labels, minibatch_stddev=minibatch_stddev, outputs=2
    ).double()
    images = torch.randn(4, 1, 28, 28, dtype=torch.float64)
    y = torch.eye(3, dtype=torch.float64)[LABELS]
    inputs = images
    if labels == "concat":
        inputs = torch.cat([images, y[:, :, None, None] * torch.ones(1, 1, 28, 28)], dim=1)
    maps = leaky_relu(network.blocks[0](network.first(inputs)), 0.2)
    features = maps.sum((2, 3))  # of 14×14 positions
    if minibatch_stddev:
        deviation = (maps.var(0, correction=0) + 1e-8).sqrt().mean()
        features = torch.cat([features, (14 * 14 * deviation).expand(4, 1)], dim=1)
    expected = features @ network.judge.weight.T + network.judge.bias
    if labels == "projection":
        expected = expected + torch.stack([(y @ network.embedding.weight.T * features).sum(1), torch.zeros(4)], dim=1)
    torch.testing.assert_close(network(images, LABELS), expected)
    changed = (network(images, LABELS) - network(images, (LABELS + 1) % 3))[:, 0].abs()
    assert changed.min() > 1e-6 if labels != "none" else changed.max() == 0


def test_spectral_norm_bounds_every_layer():
    torch.manual_seed(0)
    network = ResidualDiscriminator((1, 28, 28), 3, channels=[4, 5], norm="spectral", labels="projection")
    for _ in range(100):  # power iterations
        network(torch.randn(2, 1, 28, 28))
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 6
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=1e-2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResidualGenerator(8, (1, 28, 28), 3, channels=[4]), "channels must be 2 or more"),
        (lambda: ResidualGenerator(8, (1, 28, 28), 3, channels=[4] * 4), "sides divide by 8"),
        (lambda: ResidualGenerator(8, (1, 28, 28), 3, channels=[4, 4], norm="spectral"), "one of batch, none"),
        (lambda: ResidualGenerator(8, (1, 28, 28), 0, channels=[4, 4], conditional=True), "generator: reads labels"),
        (lambda: ResidualGenerator(8, (1, 28, 28), 3, channels=[4, 4], output="relu"), "output must be one of"),
        (lambda: ResidualDiscriminator((1, 28, 28), 3, channels=[4]), "channels must be 2 or more"),
        (lambda: ResidualDiscriminator((1, 28, 28), 3, channels=[4] * 4), "sides divide by 8"),
        (lambda: ResidualDiscriminator((1, 28, 28), 3, channels=[4, 4], norm="batch"), "one of none, spectral"),
        (lambda: ResidualDiscriminator((1, 28, 28), 3, channels=[4, 4], labels="add"), "none, concat, projection"),
        (lambda: ResidualDiscriminator((1, 28, 28), 0, channels=[4, 4], labels="concat"), "discriminator: reads"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
