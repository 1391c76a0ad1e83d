"""The scorer on real digits, on noise and on one digit only."""

from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
import torch

from gan.data.sources.mnist import MNIST
from gan.measure.extractors import load_classifier
from gan.measure.scorer import ImageScorer, subset
from gan.measure.shares import alike, in_shares_of


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return MNIST().load(tmp_path_factory.mktemp("no_files"), "embedded", split="text")


@pytest.fixture(scope="module")
def scorer(digits):
    return ImageScorer(load_classifier(), digits.test.images, digits.train.images)


def test_real_images_score_near_the_floor(scorer, digits):
    scores = scorer.score(digits.train.images)
    assert scores.fid == pytest.approx(scorer.floor, rel=1e-6)
    assert scorer.score(digits.test.images).fid < 1e-6
    assert scores.num_fake == len(digits.train.images)
    assert sum(scores.class_share) == pytest.approx(1)
    assert scores.min_class_share == min(scores.class_share) > 0.05
    assert scores.median_confidence > 0.99


def test_blends_of_two_digits_leave_the_classifier_unsure(scorer, digits):
    images = digits.test.images  # 0, 1, …, 9, 0, 1, …: each blend is of two different digits
    blends = images // 2 + images.roll(1, dims=0) // 2
    assert scorer.score(images).unsure_share < 0.05
    assert scorer.score(blends).unsure_share > 0.3


def test_noise_and_black_images_score_far_above(scorer):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (1000, 1, 28, 28), dtype=torch.uint8, generator=generator)
    assert scorer.score(noise).fid > 50 * scorer.floor
    black = scorer.score(torch.zeros_like(noise))
    assert black.fid > 50 * scorer.floor
    assert black.min_class_share == 0
    assert max(black.class_share) == 1


def test_a_missing_class_is_seen(scorer, digits):
    scores = scorer.score(digits.train.images[digits.train.labels != 2])
    assert scores.fid > 2 * scorer.floor
    assert scores.class_share[2] == scores.min_class_share < 0.02


def test_rows_are_plain_values(scorer, digits):
    images, labels = digits.test.images[:50], digits.test.labels[:50]
    plain, labelled = asdict(scorer.score(images)), asdict(scorer.score(images, labels))
    assert all(type(value) in (int, float, list) for value in labelled.values())
    assert {name for name in plain if plain[name] != labelled[name]} == {"label_agreement"}
    assert plain["label_agreement"] is None


def test_label_agreement_is_the_share_that_the_classifier_puts_into_their_class(scorer, digits):
    images, labels = digits.test.images[:200], digits.test.labels[:200]
    assert scorer.score(images, labels).label_agreement >= 0.97
    half = torch.where(torch.arange(200) < 100, labels, (labels + 1) % 10)
    expected = scorer.score(images[:100], labels[:100]).label_agreement / 2
    assert scorer.score(images, half).label_agreement == pytest.approx(expected, abs=0.02)


def test_global_random_streams_and_autocast_are_left_alone(scorer, digits):
    expected = scorer.score(digits.test.images[:600])
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert scorer.score(digits.test.images[:600]) == expected
        assert torch.is_autocast_enabled("cpu")
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_a_subset_is_random_and_always_the_same():
    numbers, before = torch.arange(24), torch.get_rng_state()
    chosen = subset(numbers, 6)
    assert len(chosen.unique()) == 6
    assert torch.equal(chosen, subset(numbers, 6))
    assert len({(b - a).item() for a, b in pairwise(chosen)}) > 1
    assert subset(numbers, 24) is numbers
    assert torch.equal(before, torch.get_rng_state())


def test_labels_have_the_shares_of_others_in_a_mixed_order_that_is_always_the_same():
    labels = torch.tensor([0] * 50 + [1] * 30 + [3] * 20)
    drawn = in_shares_of(labels, 1001)
    assert drawn.bincount().tolist() == [501, 300, 0, 200]  # the remainder goes to the largest
    assert torch.equal(drawn, in_shares_of(labels, 1001))
    assert len(drawn[:40].unique()) == 3
    assert sorted(in_shares_of(labels, 2).tolist()) == [0, 1]


def test_images_are_chosen_so_that_their_classes_have_the_shares_of_others():
    labels, others = torch.tensor([0, 1] * 100 + [2] * 10), torch.tensor([0] * 2 + [1] * 4 + [4])
    assert labels[alike(labels, others, 30)].bincount().tolist() == [10, 20]
    assert labels[alike(labels, others, 1000)].bincount().tolist() == [50, 100]  # all of class 1
    chosen = alike(labels, others, 30)
    assert len(chosen.unique()) == 30
    assert torch.equal(chosen, alike(labels, others, 30))
    assert len(alike(labels, torch.tensor([7]), 30)) == 30  # no class is shared


def test_the_floor_does_not_depend_on_the_order_of_the_training_images(mnist_root):
    """Every sixth image of the 60,000 is of one group of writers: 1.29 from the test images, random ones 0.3."""
    data = MNIST().load(mnist_root, "idx", "full")
    assert ImageScorer(load_classifier(), data.test.images, data.train.images).floor < 0.5
