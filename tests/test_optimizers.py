"""Optimizers and schedules against TensorFlow, Keras and their closed forms."""

import numpy as np
import pytest
import torch

from gan.optimizers import OPTIMIZERS, adam, exponential_decay, linear_ramp, momentum_sgd, tensorflow_adam


def run(make, start, gradients):
    """Parameters after each update."""
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer, history = make([parameter]), []
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        history.append(parameter.detach().clone().numpy())
    return np.stack(history)


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("momentum_tf1_.01_.5", lambda p: momentum_sgd(p, lr=0.01, momentum=0.5)),
        ("adam_tf1_default", lambda p: tensorflow_adam(p)),
        ("adam_keras_2e-4_b.5", lambda p: tensorflow_adam(p, lr=2e-4, beta1=0.5, epsilon=1e-7)),
    ],
)
def test_matches_tensorflow(goldens, key, make):
    history = run(make, goldens[f"{key}/p0"], goldens[f"{key}/grads"])
    np.testing.assert_allclose(history, goldens[f"{key}/params"], rtol=1e-5, atol=1e-8)


def test_tensorflow_adam_is_its_formula():
    """lr sqrt(1 - β2^t) / (1 - β1^t) · m / (sqrt(v) + ε), by hand, with gradients as small as ε."""
    rng = np.random.default_rng(0)
    gradients = (rng.standard_normal((6, 5)) * np.array([1e-8, 1e-6, 1e-3, 1, 100])).astype(np.float32)
    w, m, v, expected = np.zeros(5), np.zeros(5), np.zeros(5), []
    for t, g in enumerate(gradients.astype(np.float64), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w = w - 1e-3 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * m / (v**0.5 + 1e-7)
        expected.append(w)
    history = run(lambda p: tensorflow_adam(p, epsilon=1e-7), np.zeros(5, np.float32), gradients)
    np.testing.assert_allclose(history, expected, rtol=1e-4, atol=1e-10)
    other = run(lambda p: adam(p, epsilon=1e-7), np.zeros(5, np.float32), gradients)
    assert not np.allclose(other[:, 1], np.array(expected)[:, 1], rtol=0.1)  # where ε matters, its place does


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_state_round_trips(name, tmp_path):
    """Stopped after 3 updates and reloaded from a file, an optimizer goes on bit for bit."""
    gradients = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)

    def make(parameters):
        return OPTIMIZERS[name](parameters, lr=0.1)

    straight = run(make, np.ones(4, np.float32), gradients)[-1]
    first = torch.nn.Parameter(torch.ones(4))
    optimizer = make([first])
    for gradient in gradients[:3]:
        first.grad = torch.tensor(gradient)
        optimizer.step()
    torch.save(optimizer.state_dict(), tmp_path / "state")
    second = torch.nn.Parameter(first.detach().clone())
    optimizer = make([second])
    optimizer.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for gradient in gradients[3:]:
        second.grad = torch.tensor(gradient)
        optimizer.step()
    assert np.array_equal(straight, second.detach().numpy())


def test_exponential_decay_is_its_closed_form():
    for step in (0, 1, 1000, 100_000):
        assert exponential_decay(0.01, step, factor=1.000004) == pytest.approx(0.01 * np.exp(-step * np.log(1.000004)))
    assert exponential_decay(0.01, 100_000, factor=1.000004) == pytest.approx(0.00670321, rel=1e-5)
    assert exponential_decay(0.01, 10_000_000, factor=1.000004, minimum=1e-6) == 1e-6


def test_linear_ramp_is_its_closed_form():
    values = [linear_ramp(0.5, step, final=0.7, updates=250) for step in (0, 125, 250, 10_000)]
    assert values == pytest.approx([0.5, 0.6, 0.7, 0.7])
    assert linear_ramp(1.0, 5, final=0.0, updates=10) == 0.5
