"""LSGAN's losses in the step, and where D's boundary lies."""

import pytest
from support import Digits, Recorder, tiny, train
from variants_support import first_outputs


def test_the_first_losses_are_squares_of_distances_to_the_codes():
    module = tiny("LSGAN", seed=1)
    real, fake, outputs = first_outputs(module)
    expected = ((real - 1).square().mean() + fake.square().mean()) / 2
    assert float(outputs["loss/discriminator"]) == pytest.approx(float(expected), rel=1e-5)
    assert float(outputs["accuracy/real"]) == pytest.approx(float((real > 0.5).float().mean()))
    assert float(outputs["accuracy/fake"]) == pytest.approx(float((fake < 0.5).float().mean()))


def test_d_learns_the_codes_of_a_poor_generator():
    module, record = (
        tiny("LSGAN", {"generator_optimizer": {"lr": 0.0}, "discriminator_optimizer": {"lr": 1e-2}}),
        Recorder(),
    )
    train(module, 60, record, batches=Digits(8))
    assert float(record.outputs[-1]["loss/discriminator"]) < 0.1 < float(record.outputs[0]["loss/discriminator"])
