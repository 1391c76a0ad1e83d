"""The table of all variants: records become rows."""

import json
import math

import compare_variants as script
import pytest

from gan.variants import VARIANTS


def test_the_table_is_the_script_s():
    text = script.PAGE.read_text(encoding="utf-8")
    assert text.split(script.START)[1].split(script.END)[0].strip() == script.table()
    records = json.loads(script.RECORDS.read_text())
    assert {(row["variant"], row["seed"]) for row in records} == {(v, s) for v in VARIANTS for s in (1, 2, 3)}
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
