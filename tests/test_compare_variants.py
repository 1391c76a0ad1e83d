"""The table of all variants: a real run becomes a record, and records become rows."""

import json
import math

import compare_variants as script
import pytest

from gan.runs.reader import Run
from gan.variants import VARIANTS


def test_the_table_is_the_script_s():
    text = script.PAGE.read_text(encoding="utf-8")
    assert text.split(script.START)[1].split(script.END)[0].strip() == script.table()
    records = json.loads(script.RECORDS.read_text())
    assert {(row["variant"], row["seed"]) for row in records} == {(v, s) for v in VARIANTS for s in script.SEEDS}
    protocols = {(row["variant"] == "StridedDCGAN", row["protocol"]) for row in records if "protocol" in row}
    assert len(protocols) == 2, "all but StridedDCGAN, which draws with the batch's statistics, are measured alike"


def test_a_run_without_an_fid_is_a_failure():
    assert script.fids([{"fid": 1.0}, {"exit_code": 1}]) == [1.0, math.inf]


@pytest.mark.parametrize(
    ("change", "failed"),
    [({}, False), ({"exit_code": 1}, True), ({"fid": None}, True), ({"min_class_share": 0.009}, True)],
)
def test_what_counts_as_failed(change, failed):
    row = {"exit_code": 0, "fid": 30.0, "min_class_share": 0.05} | change
    assert script.failed(row) is failed


@pytest.mark.slow
def test_a_run_is_trained_once_and_recorded(mnist_root, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "IMAGES", 256)
    run = tmp_path / "MLPGAN" / "seed_1"
    run.parent.mkdir()
    assert Run(run).report is None
    code = script.train("MLPGAN", 1, run, mnist_root)
    assert code == 0, (tmp_path / "MLPGAN" / "seed_1.log").read_text()
    record = script.record("MLPGAN", 1, run, code)
    assert (record["step"], record["images_seen"], record["seed"]) == (2, 256, 1)
    assert record["num_real"] == record["num_fake"] == 10_000
    assert script.failed(record) == (record["min_class_share"] < 0.01)
    broken = script.train("MLPGAN", 2, tmp_path / "MLPGAN" / "seed_2", tmp_path / "nowhere")
    assert broken == 2
    assert script.failed(script.record("MLPGAN", 2, tmp_path / "MLPGAN" / "seed_2", broken))
