"""A protocol's id is stable, differs where rows must not share a column, and only there."""

import json
from dataclasses import fields, replace

import pytest

from gan.measure.protocol import Protocol

PROTOCOL = Protocol(
    metric="frechet",
    metric_version=1,
    extractor="mnist",
    extractor_version=1,
    extractor_sha256="0" * 64,
    data_set="mnist",
    source="idx",
    data_sha256="1" * 64,
    split="test",
    real_trained_on=False,
    num_real=10_000,
    num_fake=10_000,
    role="report",
    noise_seed=1,
)

OTHER = {
    "metric": "kernel",
    "metric_version": 2,
    "extractor": "fashion",
    "extractor_version": 2,
    "extractor_sha256": "1" * 64,
    "data_set": "fashion_mnist",
    "source": "embedded",
    "data_sha256": "2" * 64,
    "split": "held-out",
    "real_trained_on": True,
    "num_real": 5_000,
    "num_fake": 5_000,
    "role": "selection",
    "noise_seed": 2,
    "weights": "ema",
    "batch_norm": "batch",
    "precision": "bfloat16",
    "rounding": "none",
    "label_shares": "real",
    "metric_parameters": {"k": 3},
    "reference": "partly trained on",
}


def test_id_is_the_same_in_every_process():
    """A literal: rows written today must find their column tomorrow. Change it only with a change of the fields."""
    assert PROTOCOL.protocol_id == "281f0cf998a2"


def test_each_field_alone_makes_another_id():
    assert OTHER.keys() == {field.name for field in fields(Protocol)}
    others = {name: replace(PROTOCOL, **{name: value}).protocol_id for name, value in OTHER.items()}
    assert others.pop("noise_seed") == PROTOCOL.protocol_id  # repeats the measurement
    assert len({PROTOCOL.protocol_id, *others.values()}) == 1 + len(others)


def test_running_statistics_and_no_batch_norm_share_a_column():
    assert replace(PROTOCOL, batch_norm="running").protocol_id == PROTOCOL.protocol_id


def test_row_is_flat_json():
    row = PROTOCOL.row(step=100, seed=0, fid=1.5)
    assert json.loads(json.dumps(row)) == row
    assert row["protocol"] == PROTOCOL.protocol_id
    assert (row["step"], row["fid"], row["num_fake"]) == (100, 1.5, 10_000)


def test_row_refuses_to_overwrite_the_protocol():
    with pytest.raises(ValueError, match="num_fake"):
        PROTOCOL.row(num_fake=3)


@pytest.mark.parametrize("name", ["split", "role", "weights", "batch_norm", "rounding", "label_shares", "reference"])
def test_other_choices_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be one of"):
        replace(PROTOCOL, **{name: "nonsense"})
