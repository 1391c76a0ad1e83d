"""Optimizers and schedules against their closed forms; against TensorFlow and Keras in test_goldens.py."""

import numpy as np
import pytest
import torch
from goldens import make_vectors
from support import optimised

from gan.parts.optimizers import OPTIMIZERS, adam, exponential_decay, linear_ramp, tensorflow_adam


def test_tensorflow_adam_is_its_formula():
    """lr sqrt(1 - β2^t) / (1 - β1^t) · m / (sqrt(v) + ε), by hand, with gradients as small as ε."""
    rng = np.random.default_rng(0)
    gradients = (rng.standard_normal((6, 5)) * np.array([1e-8, 1e-6, 1e-3, 1, 100])).astype(np.float32)
    expected = make_vectors.tensorflow_adam(np.zeros(5), gradients.astype(np.float64), 1e-3, 0.9, 0.999, epsilon=1e-7)
    history = optimised(lambda p: tensorflow_adam(p, epsilon=1e-7), np.zeros(5, np.float32), gradients)
    np.testing.assert_allclose(history, expected, rtol=1e-4, atol=1e-10)
    other = optimised(lambda p: adam(p, epsilon=1e-7), np.zeros(5, np.float32), gradients)
    assert not np.allclose(other[:, 1], expected[:, 1], rtol=0.1)  # where ε matters, its place does


@pytest.mark.parametrize("saved_after", [0, 2])
def test_a_shared_step_count_is_that_of_one_keras_instance(saved_after):
    """Two parameters updated in turn by one Adam formula whose t counts both, and again after a reload."""
    gradients = np.random.default_rng(0).standard_normal((6, 2, 3))
    w, m, v, t, expected = np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)), 0, []
    for pair in gradients:
        for i in (0, 0, 1):  # the first twice a round, as 002's discriminator
            t += 1
            m[i], v[i] = 0.5 * m[i] + 0.5 * pair[i], 0.999 * v[i] + 0.001 * pair[i] ** 2
            w[i] -= 2e-4 * (1 - 0.999**t) ** 0.5 / (1 - 0.5**t) * m[i] / (v[i] ** 0.5 + 1e-7)
        expected.append(w.copy())

    def make():
        parameters = [torch.nn.Parameter(torch.zeros(3, dtype=torch.float64)) for _ in range(2)]
        adams = [tensorflow_adam([p], lr=2e-4, beta1=0.5, epsilon=1e-7) for p in parameters]
        adams[1].share_step_count(adams[0])
        return parameters, adams

    parameters, adams = make()
    for number, pair in enumerate(gradients):
        if number == saved_after > 0:
            before, states = parameters, [adam.state_dict() for adam in adams]
            parameters, adams = make()
            for new, old, adam, state in zip(parameters, before, adams, states, strict=True):
                new.data = old.data
                adam.load_state_dict(state)
        for i in (0, 0, 1):
            parameters[i].grad = torch.tensor(pair[i])
            adams[i].step()
        now = torch.stack([p.detach() for p in parameters]).numpy()
        np.testing.assert_allclose(now, expected[number], rtol=1e-10)
    assert adams[0].param_groups[0]["lr"] == 2e-4


def test_states_written_before_step_counts_could_be_shared_still_load():
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.ones(2)
    optimizer = tensorflow_adam([parameter])
    optimizer.step()
    state = {key: value for key, value in optimizer.state_dict().items() if key != "shared_updates"}
    again = tensorflow_adam([parameter])
    again.load_state_dict(state)
    assert again.state_dict()["shared_updates"] == 1


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_state_round_trips(name, tmp_path):
    """Stopped after 3 updates and reloaded from a file, an optimizer goes on bit for bit."""
    gradients = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)

    def make(parameters):
        return OPTIMIZERS[name](parameters, lr=0.1)

    straight = optimised(make, np.ones(4, np.float32), gradients)[-1]
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


def test_the_decay_of_text_001_s_graph_which_computes_in_32_bits():
    """docs/errata.md: the literal version is this package's decay by the 32-bit number that is nearest to 1.000004."""
    factor = float(np.float32(1.000004))
    assert factor == 1.0000040531158447
    for step in (1, 250, 50_000, 99_999):
        literal = np.float32(0.01) / np.power(np.float32(1.000004), np.float32(step))
        assert exponential_decay(0.01, step, factor=factor) == pytest.approx(float(literal), rel=1e-6)
    assert exponential_decay(0.01, 99_999, factor=factor) == pytest.approx(0.0066677, abs=5e-8)
    assert exponential_decay(0.01, 99_999, factor=1.000004) == pytest.approx(0.0067032, abs=5e-8)


def test_linear_ramp_is_its_closed_form():
    values = [linear_ramp(0.5, step, final=0.7, updates=250) for step in (0, 125, 250, 10_000)]
    assert values == pytest.approx([0.5, 0.6, 0.7, 0.7])
    assert linear_ramp(1.0, 5, final=0.0, updates=10) == 0.5
