"""Layers, losses, optimizers and initial distributions against vectors that others computed, all to 1e-4 or better.

Two archives of one layout: TensorFlow's and Keras', where it is at hand, and the committed one of
goldens/make_vectors.py. Every group of an archive (what stands before the last slash of a key) goes to the check of its
kind, which must read all its vectors: so none is left untested, and a group of an unknown kind fails.
"""

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from goldens.make_vectors import PATH as OWN
from goldens.make_vectors import make
from support import optimised
from torch import nn

from gan.parts.inits import glorot_uniform, truncated_normal
from gan.parts.losses import LOSSES, minimax_generator, non_saturating_generator
from gan.parts.networks.convolutions import SameConv2d, SameConvTranspose2d
from gan.parts.networks.layers import keras_batch_norm
from gan.parts.networks.strided import StridedDiscriminator
from gan.parts.optimizers import momentum_sgd, tensorflow_adam

cross_entropy = LOSSES["non_saturating"]().discriminator

KERAS_3 = Path(__file__).resolve().parents[2] / "shared" / "goldens" / "tf_keras.npz"


def close(ours, theirs):
    """To 1e-5 relative in float32, to 1e-10 in float64; sums that cancel, relative to the largest value beside them."""
    ours, theirs = (x.detach().numpy() if isinstance(x, torch.Tensor) else x for x in (ours, theirs))
    assert ours.dtype == theirs.dtype
    tolerance = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-10}[theirs.dtype]
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * np.abs(theirs).max() / 10)


def channels_first(array):
    return torch.from_numpy(array).permute(0, 3, 1, 2)


def stride_of(group):
    return int(re.fullmatch(r"convT?_k\ds(\d)_\w+", group)[1])


# The checks, one for each kind of group -------------------------------------------------------------------------------


def check_convolution(group, vectors, keras_3):
    """Kernels (k, k, in, out)."""
    weight, stride = vectors["w"], stride_of(group)
    layer = SameConv2d(weight.shape[2], weight.shape[3], weight.shape[0], stride=stride, bias=False)
    layer.weight.data = torch.from_numpy(weight).permute(3, 2, 0, 1).contiguous()
    close(layer(channels_first(vectors["x"])), channels_first(vectors["y"]))


def check_transposed_convolution(group, vectors, keras_3):
    """Kernels (k, k, out, in)."""
    weight, expected = vectors["w"], channels_first(vectors["y"])
    size = tuple(expected.shape[-2:])
    layer = SameConvTranspose2d(weight.shape[3], weight.shape[2], weight.shape[0], stride_of(group), size, bias=False)
    layer.weight.data = torch.from_numpy(weight).permute(3, 2, 0, 1).contiguous()
    close(layer(channels_first(vectors["x"])), expected)


def check_batch_norm(group, vectors, keras_3):
    """Two batches in training mode, one in inference mode, at Keras' momentum 0.8.

    The moving variance starts at 1, then v <- 0.8 v + 0.2 b. Keras 3 takes the batch's biased variance for b; Keras 2
    and PyTorch the unbiased one, n/(n-1) of it with n = N H W: after two batches all of v but 0.8² grows by n/(n-1).
    """
    gamma, beta, mean, variance = (vectors[name] for name in ("gamma", "beta", "moving_mean", "moving_variance"))
    x1, x2, x3 = (channels_first(vectors[f"x{i}"]) for i in (1, 2, 3))
    y1, y2, y3 = (channels_first(vectors[f"y{i}"]) for i in (1, 2, 3))
    if keras_3:
        assert x1.shape == x2.shape
        n = x1.numel() // len(gamma)
        unbiased = (0.8**2 + (variance - 0.8**2) * n / (n - 1)).astype(variance.dtype)
        assert (unbiased / variance > 1.001).all()  # ten times more than what is tolerated
        scale = torch.from_numpy(np.sqrt((variance + 1e-3) / (unbiased + 1e-3)))[:, None, None]
        shift = torch.from_numpy(beta)[:, None, None]
        variance, y3 = unbiased, shift + (y3 - shift) * scale
    layer = keras_batch_norm(len(gamma), momentum=1 - 0.8).to(x1.dtype)
    without_moving_statistics = keras_batch_norm(len(gamma)).to(x1.dtype).eval()
    for norm in (layer, without_moving_statistics):
        norm.weight.data, norm.bias.data = torch.from_numpy(gamma), torch.from_numpy(beta)
        close(norm(x1), y1)
        close(norm(x2), y2)
    close(layer.running_mean, mean)
    close(layer.running_var, variance)
    close(layer.eval()(x3), y3)


def check_zero_padding(group, vectors, keras_3):
    """As the discriminator of FullResolutionDCGAN does it, with everything around it the identity."""
    x, y = (channels_first(vectors[name]) for name in "xy")
    identity, seen = {"name": "leaky_relu", "slope": 1.0}, []
    network = StridedDiscriminator(
        tuple(x.shape[1:]), 0, channels=[2], kernel=1, strides=[1], padded=[0], activation=identity, norm="none"
    ).to(x.dtype)
    network.convolutions[0].weight.data = torch.eye(2, dtype=x.dtype)[:, :, None, None]
    network.convolutions[0].bias.data.zero_()
    network.judge.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    network(x)
    assert torch.equal(seen[0].view(y.shape), y)


OPTIMIZERS = {
    "adam_keras_2e-4_b.5": lambda p: tensorflow_adam(p, lr=2e-4, beta1=0.5, epsilon=1e-7),
    "adam_tf1_default": lambda p: tensorflow_adam(p),
    "momentum_tf1_.01_.5": lambda p: momentum_sgd(p, lr=0.01, momentum=0.5),
}


def check_optimizer(group, vectors, keras_3):
    """How far each parameter moved, to 1e-5, as far as its rounding shows it."""
    start, theirs = vectors["p0"], vectors["params"]
    ours = optimised(OPTIMIZERS[group], start, vectors["grads"])
    assert ours.dtype == theirs.dtype
    moved = np.abs(theirs - start).max(axis=0)
    assert (np.abs(ours - theirs) <= 1e-5 * moved + 4 * np.finfo(theirs.dtype).eps * np.abs(theirs)).all()


def check_cross_entropy(group, vectors, keras_3):
    """Means over logits, labelled 1 and 0."""
    logits = torch.from_numpy(vectors["logits"])
    none = torch.full_like(logits, -1000.0)  # what an image that D is sure of adds
    for loss, key in (
        (cross_entropy(logits, none), "ones"),
        (cross_entropy(-none, logits), "zeros"),
        (non_saturating_generator(none, logits), "ones"),
        (-minimax_generator(none, logits), "zeros"),
    ):
        close(loss, vectors[key])


class Law(NamedTuple):
    """What an initialiser draws: x in ±bound."""

    bound: float
    std: float
    kurtosis: float
    density: float  # of |x| / bound at 1


def uniform(fans):
    bound = (6 / fans) ** 0.5
    return Law(bound, bound / 3**0.5, kurtosis=1.8, density=1.0)


# Key -> (weights, initialiser, law, how many numbers Keras drew). A normal cut at ±2σ has standard deviation 0.8796 σ.
DISTRIBUTIONS = {
    "glorot_uniform_128x64_std_max": ([nn.Linear(128, 64).weight], glorot_uniform, uniform(128 + 64), 128 * 64),
    "glorot_uniform_conv3x3x64x32_std_max": (
        [nn.Conv2d(64, 32, 3).weight, nn.ConvTranspose2d(64, 32, 3).weight],
        glorot_uniform,
        uniform(9 * 64 + 9 * 32),
        9 * 64 * 32,
    ),
    "truncated_normal_.04_std_max": (
        [nn.Linear(1000, 100).weight],
        partial(truncated_normal, std=0.04),
        Law(0.08, 0.8796257 * 0.04, kurtosis=2.3655, density=0.2263),
        100_000,  # the archive does not say; the largest value lets expect more
    ),
}


def check_initial_distributions(group, vectors, keras_3):
    """Keras' samples and ours are of one law, as closely as samples can tell.

    The standard deviation of n numbers is known to sqrt((kurtosis - 1) / 4n) of itself, in Keras' samples 0.2 to 0.5 %,
    so that 1e-4 means nothing there: four times that is allowed, to Keras' n numbers and to our million. The largest of
    n numbers falls short of the bound by 1 / (n density) of it on average, and with probability e^-15 by 15 times that:
    for our million this is less than 1e-4.
    """
    for key in vectors:
        weights, initialiser, law, keras_count = DISTRIBUTIONS[key]
        draws = []
        while sum(map(len, draws)) < 10**6:
            for weight in weights:
                initialiser(weight)
                draws.append(weight.detach().flatten().clone())
        ours = torch.cat(draws)
        samples = {"Keras": (*vectors[key].tolist(), keras_count), "ours": (ours.std(), ours.abs().max(), len(ours))}
        for std, largest, n in samples.values():
            assert float(std) == pytest.approx(law.std, rel=4 * ((law.kurtosis - 1) / (4 * n)) ** 0.5)
            assert law.bound * (1 - 15 / (n * law.density)) <= float(largest) <= law.bound * (1 + 1e-6)


CHECKS = {
    "conv": check_convolution,
    "convT": check_transposed_convolution,
    "bn": check_batch_norm,
    "zeropad": check_zero_padding,
    "adam": check_optimizer,
    "momentum": check_optimizer,
    "sigmoid": check_cross_entropy,
    "init": check_initial_distributions,
}


# Every vector of every archive ----------------------------------------------------------------------------------------


class Vectors(dict):
    """A group's arrays by name; remembers which were looked at."""

    def __init__(self, arrays):
        super().__init__(arrays)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


def read_groups(path):
    """Group -> its vectors; nothing where the archive is absent."""
    groups = {}
    if path.exists():
        with np.load(path, allow_pickle=False) as archive:
            for key in archive.files:
                group, _, name = key.rpartition("/")
                groups.setdefault(group, {})[name] = archive[key]
    return groups


def check(group, arrays, keras_3=False):
    kind = re.match("[a-zA-Z]*", group)[0]
    assert kind in CHECKS, f"{group}: write a check for vectors of this kind"
    torch.manual_seed(0)
    vectors = Vectors(arrays)
    CHECKS[kind](group, vectors, keras_3)
    assert vectors.read == set(vectors), f"{group}: its check leaves vectors unread"


GROUPS = {path: read_groups(path) for path in (OWN, KERAS_3)}
CASES = [(path, group) for path, groups in GROUPS.items() for group in groups]
SKIPPED = pytest.mark.skip(reason="the vectors of TensorFlow and Keras are not at ../shared/goldens/tf_keras.npz")
ABSENT = [] if KERAS_3.exists() else [pytest.param(KERAS_3, "all", marks=SKIPPED)]


@pytest.mark.parametrize(
    ("path", "group"), CASES + ABSENT, ids=lambda value: value.stem if isinstance(value, Path) else value
)
def test_vectors(path, group):
    check(group, GROUPS[path][group], keras_3=path == KERAS_3)


def test_no_vector_is_left_untested():
    """Groups come from the archives, and a check that leaves one of its vectors unread fails."""
    for path in filter(Path.exists, GROUPS):
        with np.load(path) as archive:
            tested = {f"{group}/{name}" for p, group in CASES if p == path for name in GROUPS[path][group]}
            assert tested == set(archive.files)
    own = GROUPS[OWN]
    assert {re.match("[a-zA-Z]*", group)[0] for group in own} == CHECKS.keys() - {"init"}  # samples, not vectors
    with pytest.raises(AssertionError, match="leaves vectors unread"):
        check("zeropad", {**own["zeropad"], "another": own["zeropad"]["x"]})
    with pytest.raises(AssertionError, match="write a check"):
        check("pool_k2", own["zeropad"])


@pytest.mark.parametrize("group", [group for group in GROUPS[OWN] if group != "init"])
def test_a_vector_that_differs_is_noticed(group):
    """By 1e-4 of its largest value, which is what the checks promise at least."""
    results = {"y", "y1", "y2", "y3", "moving_mean", "moving_variance", "params", "ones", "zeros"}
    for name in results & GROUPS[OWN][group].keys():
        array = GROUPS[OWN][group][name].copy()
        array.reshape(-1)[np.abs(array).argmax()] *= 1 + 1e-4
        with pytest.raises(AssertionError):
            check(group, {**GROUPS[OWN][group], name: array})


def test_the_committed_vectors_are_those_of_the_script():
    made = make()
    assert OWN.stat().st_size < 60_000
    with np.load(OWN, allow_pickle=False) as archive:
        assert set(archive.files) == made.keys()
        for key, array in made.items():
            assert archive[key].dtype == array.dtype == np.float64
            np.testing.assert_allclose(archive[key], array, rtol=1e-12, atol=0, err_msg=key)
