"""One measurement: roles, protocol, streams."""

import math

import pytest
import torch
from support import same, tiny, weights

from gan.data.sources.mnist import MNIST
from gan.measure.extractors import EVALUATORS
from gan.measure.measurement import Measurement


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return MNIST().load(tmp_path_factory.mktemp("nothing"), "embedded", "text")


@pytest.mark.parametrize(("role", "split", "count"), [("selection", "held-out", 500), ("report", "test", 1000)])
def test_a_row_says_how_it_was_measured(data, role, split, count):
    measurement = Measurement(data, role, 60)
    row = measurement(tiny("DCGAN").sampler())
    assert (row["role"], row["split"], row["num_real"], row["num_fake"]) == (role, split, count, 60)
    assert (row["data_set"], row["source"], row["rounding"], row["weights"]) == ("mnist", "embedded", "8-bit", "raw")
    assert row["batch_norm"] == "running"
    assert row["extractor_sha256"] == EVALUATORS["mnist"].sha256
    assert row["fid"] > row["fid_floor"] == measurement.floor > 0
    assert sum(row["class_share"]) == pytest.approx(1)
    assert row["real_trained_on"] is False


def test_held_out_images_that_are_trained_on_are_said_so(tmp_path):
    full = MNIST().load(tmp_path, "embedded", "full")
    assert Measurement(full, "selection", 10)(tiny("MLPGAN").sampler())["real_trained_on"] is True
    assert Measurement(full, "report", 10)(tiny("MLPGAN").sampler())["real_trained_on"] is False


def test_a_measurement_repeats_itself_and_moves_nothing(data):
    measurement, module = Measurement(data, "report", 60), tiny("DCGAN")
    before, state = weights(module), torch.get_rng_state()
    first, second = measurement(module.sampler()), measurement(module.sampler())
    assert first == second
    assert same(before, weights(module))
    assert torch.equal(state, torch.get_rng_state())
    assert all(part.training for part in module.modules())
    assert measurement(module.sampler(), noise_seed=1)["fid"] != first["fid"]


def test_roles_draw_different_noise(data):
    module = tiny("MLPGAN")
    selection, report = (Measurement(data, role, 60) for role in ("selection", "report"))
    report.scorer = selection.scorer  # the same real images, so that only the noise differs
    assert selection(module.sampler())["fid"] != report(module.sampler())["fid"]


def test_a_diverged_generator_gets_a_row(data):
    module = tiny("MLPGAN")
    with torch.no_grad():
        module.generator.layers[0].bias[0] = math.nan
    row = Measurement(data, "report", 20)(module.sampler())
    assert row["fid"] is None or math.isnan(row["fid"])
