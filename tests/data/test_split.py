"""What a data set says of itself: few fields are enough, and what is not plain is refused."""

import json
from dataclasses import replace

import pytest
import torch

from gan.base.errors import UserError
from gan.data.split import LoadedData, Split, split_in_order


def part(count=4, grey=7, shape=(1, 5, 5)):
    return Split(torch.full((count, *shape), grey, dtype=torch.uint8), torch.arange(count))


def data(**fields):
    return LoadedData(
        **{"name": "own", "source": "auto", "train": part(8), "held_out": part(2), "test": part(3)} | fields
    )


def test_few_fields_are_enough():
    said = data().provenance
    assert said["counts"] == {"train": 8, "held_out": 2, "test": 3}
    assert (said["files"], said["official"], said["held_out_is_trained_on"]) == ({}, "unknown", False)
    assert json.loads(json.dumps(said)) == said


def test_own_facts_stand_behind_those_of_every_set():
    said = data(about={"polarity": "keep"}).provenance
    assert list(said)[:5] == ["name", "source", "split", "counts", "held_out_is_trained_on"]
    assert list(said)[-1] == "polarity"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"about": {"files": {}, "colour": "red"}}, "data set own: about repeats files"),
        ({"about": {"path": object()}}, "files and about must be plain JSON values"),
        ({"about": {"mean": float("nan")}}, "files and about must be plain JSON values"),
        ({"official": "yes"}, "official must be True, False or 'unknown', got 'yes'"),
        ({"test": part(shape=(3, 5, 5))}, "all its images must have one shape"),
    ],
)
def test_refused(fields, message):
    with pytest.raises(UserError, match=message):
        data(**fields)


def test_the_digest_is_of_the_files_else_of_what_is_measured_against():
    alone, files = data(), data(files={"a.png": "0" * 64})
    assert alone.sha256 == replace(alone, train=part(5)).sha256 == data(test=part(3)).sha256
    digests = {some.sha256 for some in (alone, files, data(test=part(3, grey=8)), data(held_out=part(3)))}
    assert len(digests) == 4
    assert files.sha256 == replace(files, test=part(3, grey=8)).sha256


def test_the_digest_of_a_part_tells_shapes_and_labels_apart():
    one = part()
    others = [Split(one.images.reshape(4, 1, 1, 25), one.labels), Split(one.images, one.labels + 1)]
    assert len({some.sha256 for some in (one, *others)}) == 3


def test_parts_that_lie_in_a_row():
    every = Split(torch.zeros(6, 1, 2, 2, dtype=torch.uint8), torch.arange(6))
    counts = {"train": 3, "held_out": 2, "test": 1}
    for full, expected in ((False, [0, 1, 2]), (True, [0, 1, 2, 3, 4])):
        train, held_out, test = split_in_order(every, counts, train_on_held_out=full)
        assert (train.labels.tolist(), held_out.labels.tolist(), test.labels.tolist()) == (expected, [3, 4], [5])
