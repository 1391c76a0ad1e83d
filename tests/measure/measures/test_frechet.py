"""The Fréchet distance and its company on real digits, on noise and on one digit only."""

import numpy as np
import pytest
import torch

from gan.data.sources.mnist import MNIST
from gan.measure.extractors.classifier import shipped
from gan.measure.measure import Sample, Seen
from gan.measure.measurement import Measurement
from gan.measure.measures.frechet import frechet


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return MNIST().load(tmp_path_factory.mktemp("no_files"), "embedded", split="text")


@pytest.fixture(scope="module")
def score(digits):
    """A function of fakes and labels that returns the measure's values."""
    extractor, measure = shipped("mnist"), frechet()
    real = Sample(digits.test.images, digits.test.labels, extractor)

    def values(images, labels=None):
        fake = Sample(images, labels, extractor)
        return measure.function(Seen(real, fake, real, torch.Generator()))

    return values


def test_real_images_score_near_zero(score, digits):
    found = score(digits.test.images)
    assert found["fid"] < 1e-6
    assert sum(found["class_share"]) == pytest.approx(1)
    assert found["min_class_share"] == min(found["class_share"]) > 0.05
    assert found["median_confidence"] > 0.99


def test_blends_of_two_digits_leave_the_classifier_unsure(score, digits):
    images = digits.test.images  # 0, 1, …, 9, 0, 1, …: each blend is of two different digits
    blends = images // 2 + images.roll(1, dims=0) // 2
    assert score(images)["unsure_share"] < 0.05
    assert score(blends)["unsure_share"] > 0.3


def test_noise_and_black_images_score_far_above(score, digits):
    floor = score(digits.train.images)["fid"]
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (1000, 1, 28, 28), dtype=torch.uint8, generator=generator)
    assert score(noise)["fid"] > 50 * floor
    black = score(torch.zeros_like(noise))
    assert black["fid"] > 50 * floor
    assert (black["min_class_share"], max(black["class_share"])) == (0, 1)
    missing = score(digits.train.images[digits.train.labels != 2])
    assert missing["fid"] > 2 * floor
    assert missing["class_share"][2] == missing["min_class_share"] < 0.02


def test_label_agreement_is_the_share_that_the_classifier_puts_into_their_class(score, digits):
    images, labels = digits.test.images[:200], digits.test.labels[:200]
    plain, labelled = score(images), score(images, labels)
    assert {name for name in plain if plain[name] != labelled[name]} == {"label_agreement"}
    assert labelled["label_agreement"] >= 0.97
    half = torch.where(torch.arange(200) < 100, labels, (labels + 1) % 10)
    expected = score(images[:100], labels[:100])["label_agreement"] / 2
    assert score(images, half)["label_agreement"] == pytest.approx(expected, abs=0.02)


def test_global_random_streams_and_autocast_are_left_alone(score, digits):
    expected = score(digits.test.images[:600])
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert score(digits.test.images[:600]) == expected
        assert torch.is_autocast_enabled("cpu")
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


@pytest.mark.slow
def test_the_floor_does_not_depend_on_the_order_of_the_training_images(mnist_root):
    """Every sixth image of the 60,000 is of one group of writers: 1.29 from the test images, random ones 0.3."""
    data = MNIST().load(mnist_root, "idx", "full")
    measurement = Measurement(data, "report", 100, trained_on=data.train, measures={"frechet": {}})
    assert measurement.floor(measurement.measures[0])["fid_floor"] < 0.5
