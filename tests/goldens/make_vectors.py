"""Test vectors in the layout of TensorFlow's, computed by hand-written numpy in float64 from the definitions.

    python tests/goldens/make_vectors.py

writes vectors.npz beside this file. Images are (N, H, W, C), kernels (k, k, in, out), those of transposed convolutions
(k, k, out, in), as TensorFlow has them. Batch norm's moving variance is Keras 2's, of the unbiased variance.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PATH = Path(__file__).with_name("vectors.npz")
# (size, kernel, stride) of convolutions; the transposed ones make maps of this size. Odd and even sizes, maps smaller
# than the kernel, and a kernel smaller than its stride.
SIZES = [(28, 5, 2), (7, 5, 2), (4, 5, 2), (2, 5, 2), (9, 3, 2), (8, 3, 2), (4, 3, 1), (1, 3, 1), (6, 1, 2)]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(zeros before, length of the output): ceil(size / stride) outputs, an odd zero goes to the end."""
    out = -(-size // stride)
    return max((out - 1) * stride + kernel - size, 0) // 2, out


def same_convolution(x: Array, w: Array, stride: int) -> Array:
    """tf.nn.conv2d: output (i, j) sees the input from row i * stride - before and column j * stride - before on."""
    size, kernel = x.shape[1], len(w)
    before, out = same_padding(size, kernel, stride)
    y = np.zeros((len(x), out, out, w.shape[3]))
    for i, j, a, b in np.ndindex(out, out, kernel, kernel):
        row, column = i * stride - before + a, j * stride - before + b
        if 0 <= row < size and 0 <= column < size:
            y[:, i, j] += x[:, row, column] @ w[a, b]
    return y


def same_transposed_convolution(x: Array, w: Array, stride: int, size: int) -> Array:
    """tf.nn.conv2d_transpose to `size`: each input adds to the outputs that a convolution would have read it from."""
    kernel = len(w)
    before, small = same_padding(size, kernel, stride)
    assert x.shape[1] == small
    y = np.zeros((len(x), size, size, w.shape[2]))
    for i, j, a, b in np.ndindex(small, small, kernel, kernel):
        row, column = i * stride - before + a, j * stride - before + b
        if 0 <= row < size and 0 <= column < size:
            y[:, row, column] += x[:, i, j] @ w[a, b].T
    return y


def batch_norm(batches: list[Array], gamma: Array, beta: Array, momentum: float, epsilon: float) -> dict[str, Array]:
    """Keras without version 2's debiasing, with its unbiased variance.

    All batches but the last are in training mode, in turn; the last one is in inference mode.
    Moving statistics start at 0 and 1; m <- momentum m + (1 - momentum) batch. The variance that normalises divides by
    n = N H W, the one that moves by n - 1.
    """
    mean, variance, result = np.zeros(len(gamma)), np.ones(len(gamma)), {}
    for number, x in enumerate(batches, start=1):
        if number < len(batches):
            n = x.size // len(gamma)
            used_mean = x.sum((0, 1, 2)) / n
            used_variance = ((x - used_mean) ** 2).sum((0, 1, 2)) / n
            mean = momentum * mean + (1 - momentum) * used_mean
            variance = momentum * variance + (1 - momentum) * used_variance * n / (n - 1)
        else:
            used_mean, used_variance = mean, variance
        result[f"y{number}"] = gamma * (x - used_mean) / np.sqrt(used_variance + epsilon) + beta
    return {**result, "moving_mean": mean, "moving_variance": variance}


def tensorflow_adam(start: Array, gradients: Array, lr: float, beta1: float, beta2: float, epsilon: float) -> Array:
    """Parameters after each update: w <- w - lr sqrt(1 - β2^t) / (1 - β1^t) · m / (sqrt(v) + ε)."""
    w, m, v, history = start, np.zeros_like(start), np.zeros_like(start), []
    for t, g in enumerate(gradients, start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        w = w - lr * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + epsilon)
        history.append(w)
    return np.stack(history)


def momentum_sgd(start: Array, gradients: Array, lr: float, momentum: float) -> Array:
    """Parameters after each update: v <- momentum v + g; w <- w - lr v."""
    w, v, history = start, np.zeros_like(start), []
    for g in gradients:
        v = momentum * v + g
        w = w - lr * v
        history.append(w)
    return np.stack(history)


def cross_entropy(logits: Array, label: int) -> Array:
    """Mean of -log p of the label, with p(1) = 1 / (1 + exp(-logit))."""
    p = 1 / (1 + np.exp(-logits))
    return -np.log(p if label else 1 - p).mean()


def pad_below_and_right(x: Array) -> Array:
    """Keras' ZeroPadding2D(((0, 1), (0, 1)))."""
    y = np.zeros((len(x), x.shape[1] + 1, x.shape[2] + 1, x.shape[3]))
    y[:, :-1, :-1] = x
    return y


def make() -> dict[str, Array]:
    """All vectors, as group/name. Inputs are multiples of 1/64: sums of their products are exact in any order."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Array:
        return rng.integers(-64, 64, shape, endpoint=True) / 64

    groups: dict[str, dict[str, Array]] = {}
    for size, kernel, stride in SIZES:
        x, w = draw(1, size, size, 2), draw(kernel, kernel, 2, 3)
        groups[f"conv_k{kernel}s{stride}_{size}"] = {"x": x, "w": w, "y": same_convolution(x, w, stride)}
        small = same_padding(size, kernel, stride)[1]
        x, w = draw(1, small, small, 3), draw(kernel, kernel, 1, 3)
        y = same_transposed_convolution(x, w, stride, size)
        groups[f"convT_k{kernel}s{stride}_{small}to{size}"] = {"x": x, "w": w, "y": y}

    gamma, beta = draw(3), draw(3)
    x = {"x1": 3 * draw(4, 3, 3, 3) + 1, "x2": draw(4, 3, 3, 3), "x3": draw(2, 3, 3, 3)}
    normalised = batch_norm(list(x.values()), gamma, beta, momentum=0.8, epsilon=1e-3)
    groups["bn"] = {"gamma": gamma, "beta": beta, **x, **normalised}

    x = draw(1, 4, 4, 2)
    groups["zeropad"] = {"x": x, "y": pad_below_and_right(x)}

    # Gradients down to Adam's epsilon, whose place then matters; a start as small as the updates, so that they show.
    start, gradients = 1e-3 * draw(5), draw(6, 5) * np.array([1e-8, 1e-6, 1e-3, 1, 100])
    for name, history in {
        "adam_keras_2e-4_b.5": tensorflow_adam(start, gradients, lr=2e-4, beta1=0.5, beta2=0.999, epsilon=1e-7),
        "adam_tf1_default": tensorflow_adam(start, gradients, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8),
        "momentum_tf1_.01_.5": momentum_sgd(start, gradients, lr=0.01, momentum=0.5),
    }.items():
        groups[name] = {"p0": start, "grads": gradients, "params": history}

    logits = 6 * draw(16, 1)
    groups["sigmoid_ce"] = {"logits": logits, "ones": cross_entropy(logits, 1), "zeros": cross_entropy(logits, 0)}
    return {f"{group}/{name}": np.asarray(array) for group, arrays in groups.items() for name, array in arrays.items()}


if __name__ == "__main__":
    np.savez_compressed(PATH, **make())
