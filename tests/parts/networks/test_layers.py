"""Layers beyond their vectors (test_goldens.py), and the shapes of the texts' networks."""

import copy

import numpy as np
import pytest
import torch

from gan.parts.networks.layers import (
    MinibatchStdDev,
    constrained,
    differs_in_inference,
    has_batch_statistics,
    keras_batch_norm,
    normalises_by_batch,
)
from gan.variants import VARIANTS


@pytest.mark.parametrize("reloaded", [False, True])
def test_debiased_moving_statistics_are_averages_of_the_batches_seen(reloaded):
    """biased <- 0.8 biased + 0.2 batch from 0, divided by 1 - 0.8^t (TensorFlow's zero_debias); variances by n - 1."""
    layer = keras_batch_norm(3, momentum=0.2, debiased=True).double()
    mean, variance = torch.zeros(3).double(), torch.zeros(3).double()
    for t in range(1, 6):
        images = 5 + 2 * torch.randn(4, 3, 5, 6, dtype=torch.float64)
        layer(images)
        mean = 0.8 * mean + 0.2 * images.mean((0, 2, 3))
        variance = 0.8 * variance + 0.2 * images.var((0, 2, 3))
        torch.testing.assert_close(layer.running_mean, mean / (1 - 0.8**t))
        torch.testing.assert_close(layer.running_var, variance / (1 - 0.8**t))
        if reloaded:
            state, layer = layer.state_dict(), keras_batch_norm(3, momentum=0.2, debiased=True).double()
            layer(images)  # a network that was used before it was loaded into
            layer.load_state_dict(state)
    before = layer.running_mean.clone()
    layer.eval()(images)
    assert torch.equal(layer.running_mean, before)


def shapes_of(module, layers):
    """Output shapes of these layers in one pass of D over G's images, and all parameter counts by name."""
    shapes = []
    for layer in layers:
        layer.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape[1:])))
    module.discriminator(module.generator(torch.randn(2, 100)))
    return shapes, {name: sum(p.numel() for p in layer.parameters()) for name, layer in module.named_modules()}


def test_full_resolution_dcgan_has_the_text_s_shapes_and_parameters():
    """Its printed summary of D: 320; 18,496; 256; … (Keras counts moving statistics: two more a channel)."""
    module = VARIANTS["FullResolutionDCGAN"]()
    g, d = module.generator, module.discriminator
    shapes, count = shapes_of(module, (g.project, *g.deconvolutions, *d.convolutions, *d.norms, d.judge))
    assert shapes == [(100_352,), (128, 28, 28), (64, 28, 28), (1, 28, 28),
                      (32, 14, 14), (32, 14, 14), (64, 7, 7), (64, 8, 8), (128, 4, 4), (128, 4, 4),
                      (256, 4, 4), (256, 4, 4), (1,)]  # fmt: skip
    assert [count[f"discriminator.convolutions.{i}"] for i in range(4)] == [320, 18_496, 73_856, 295_168]
    kept = [sum(b.numel() for b in norm.buffers() if b.ndim) for norm in d.norms]  # moving means and variances
    assert [count[f"discriminator.norms.{i}"] + kept[i] for i in range(4)] == [0, 256, 512, 1024]
    assert count["discriminator.judge"] == 4 * 4 * 256 + 1
    assert count["generator.project"] == 100 * 100_352 + 100_352
    assert [count[f"generator.deconvolutions.{i}"] for i in range(3)] == [147_584, 73_792, 577]
    assert not normalises_by_batch(g)


def test_upsampling_dcgan_has_the_text_s_shapes_and_fewer_parameters_in_its_discriminator():
    module = VARIANTS["UpsamplingDCGAN"]()
    g, d = module.generator, module.discriminator
    shapes, count = shapes_of(module, (g.project, *g.convolutions, *d.convolutions, *d.dense, d.judge))
    assert shapes == [(7 * 7 * 256,), (128, 14, 14), (64, 28, 28), (32, 28, 28), (1, 28, 28),
                      (32, 14, 14), (64, 7, 7), (128, 4, 4), (256, 2, 2), (256,), (1,)]  # fmt: skip
    assert (count["generator"], count["discriminator"]) == (2_343_617, 1_077_505 + 1024 * 256 + 256 - 1024 + 256)
    recipe = VARIANTS["UpsamplingDCGAN"].defaults.merged({"discriminator": {"dense": None}})
    without = VARIANTS["UpsamplingDCGAN"](recipe).discriminator
    assert sum(p.numel() for p in without.parameters()) == 1_077_505  # as it was until version 0.2.0


def test_a_dense_layer_is_followed_by_the_activation_and_dropout():
    """The strided D of text 003, whose dense layer is as that of the convolutions before it."""
    d = VARIANTS["UpsamplingDCGAN"]().discriminator
    seen: list[torch.Tensor] = []
    d.judge.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    images = torch.rand(8, 1, 28, 28)
    with torch.no_grad():
        d.train()(images)
        d.eval()(images)
    dropped, kept = seen
    assert 0.3 < (dropped == 0).float().mean() < 0.5  # p = 0.4
    assert (kept != 0).all()
    assert kept.min() < 0 < kept.max()  # leaky ReLU passes both signs


def test_strided_dcgan_has_the_text_s_shapes_and_parameters():
    module = VARIANTS["StridedDCGAN"]()
    g, d = module.generator, module.discriminator
    shapes, count = shapes_of(module, (*g.deconvolutions, *d.convolutions))
    assert shapes == [(256, 4, 4), (128, 7, 7), (64, 14, 14), (1, 28, 28),
                      (64, 14, 14), (128, 7, 7), (256, 4, 4), (512, 2, 2)]  # fmt: skip
    assert [count[f"discriminator.convolutions.{i}"] for i in range(4)] == [1664, 204_928, 819_456, 3_277_312]
    assert [count[f"discriminator.norms.{i}"] for i in range(4)] == [0, 256, 512, 1024]
    assert count["discriminator.judge"] == 2 * 2 * 512 + 1
    assert [count[f"generator.deconvolutions.{i}"] for i in range(4)] == [3_276_800, 819_200, 204_800, 1600]
    assert [count[f"generator.norms.{i}"] for i in range(4)] == [1024, 512, 256, 128]
    assert count["generator.project"] == 100 * 2048 + 2048
    assert normalises_by_batch(g)
    assert normalises_by_batch(d)
    assert not list(module.buffers())  # nothing that sampling could move


def test_minibatch_stddev_appends_the_mean_deviation_of_the_batch():
    images = 3 + 2 * torch.randn(6, 4, 5, 7, dtype=torch.float64)
    result = MinibatchStdDev()(images)
    expected = np.sqrt(images.numpy().var(axis=0) + 1e-8).mean()
    assert result.shape == (6, 5, 5, 7)
    assert torch.equal(result[:, :4], images)
    np.testing.assert_allclose(result[:, 4].numpy(), np.full((6, 5, 7), expected), rtol=1e-12)
    layer = MinibatchStdDev().eval()
    assert torch.equal(layer(images), result)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_minibatch_stddev_of_one_image_is_small_and_has_finite_gradients(dtype):
    """In float16, too, which has no 1e-8."""
    images = torch.randn(1, 3, 4, 4, dtype=dtype, requires_grad=True)
    result = MinibatchStdDev()(images)
    result.square().sum().backward()
    assert result.dtype == dtype
    assert 0 <= result[:, 3].max() < 1e-3
    assert images.grad.isfinite().all()


def test_minibatch_stddev_s_gradients():
    images = torch.randn(4, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(MinibatchStdDev(), images)
    assert torch.autograd.gradgradcheck(MinibatchStdDev(), images)  # for gradient penalties


class Crowd(torch.nn.Module):
    """A user's module through which the images of a batch affect each other."""

    mixes_batch = True

    def forward(self, images):
        return images - images.mean(dim=0)


@pytest.mark.parametrize(
    ("layer", "statistics", "in_evaluation", "differs"),
    [
        (torch.nn.Identity(), False, False, False),
        (torch.nn.Dropout(0.5), False, False, True),
        (torch.nn.BatchNorm2d(3), True, False, True),
        (torch.nn.BatchNorm2d(3, track_running_stats=False), True, True, True),
        (MinibatchStdDev(), True, True, False),
        (Crowd(), True, True, False),
    ],
)
def test_what_makes_the_images_of_a_batch_affect_each_other(layer, statistics, in_evaluation, differs):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Sequential(layer))
    assert has_batch_statistics(network) == statistics
    assert normalises_by_batch(network) == in_evaluation
    assert differs_in_inference(network) == differs


@pytest.mark.parametrize("shape", [(8, 12), (6, 4, 3, 3)])
def test_spectral_norm_agrees_with_the_old_implementation_and_a_singular_value_decomposition(shape):
    """PyTorch's hook of 2018 is a second implementation of the power iteration."""
    torch.manual_seed(0)
    make = (lambda: torch.nn.Linear(12, 8)) if len(shape) == 2 else (lambda: torch.nn.Conv2d(4, 6, 3))
    plain = make().double()
    ours, theirs = constrained(copy.deepcopy(plain), "spectral"), torch.nn.utils.spectral_norm(copy.deepcopy(plain))
    images = torch.randn(5, 12 if len(shape) == 2 else 4, *([] if len(shape) == 2 else [5, 5]), dtype=torch.float64)
    for _ in range(300):
        outputs = ours(images), theirs(images)
    torch.testing.assert_close(*outputs)
    ours.eval()
    sigma = torch.linalg.matrix_norm(plain.weight.flatten(1), 2)
    torch.testing.assert_close(ours.weight, plain.weight / sigma)
    assert constrained(plain, "none") is plain
