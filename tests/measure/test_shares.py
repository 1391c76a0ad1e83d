"""Parts of sets: random ones, and those with classes in given shares."""

from itertools import pairwise

import torch

from gan.measure.shares import alike, in_shares_of, subset


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
