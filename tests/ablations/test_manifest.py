"""Manifests are read whole: what is wrong in one is said with file and line."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from sweep_support import TREE, tiny_manifest

from gan.ablations.manifest import Arm, read_manifest
from gan.ablations.verdict import Rule
from gan.base.errors import UserError
from gan.runs.config import shipped_manifests

TEXT = """\
question: Is uniform noise as good as normal noise?
claim: C9
base: {config: mlp_gan}
arms:
  normal: {}
  uniform: {prior: uniform}
  minimax: {loss: minimax, grid: {generator_optimizer.lr: [0.1, 0.01]}}
seeds: 1-3
budgets: {full: 20_000, short: 100}
failure: {fid_above: 100}
rules:
  uniform: higher
  minimax: {expect: alike, margin: 0.2}
"""


def read(tmp_path: Path, text: str):
    file = tmp_path / "noise.yaml"
    file.write_text(text)
    return read_manifest(file)


def test_a_manifest_is_what_its_file_says(tmp_path):
    manifest = read(tmp_path, TEXT)
    assert (manifest.name, manifest.claim, manifest.baseline, manifest.seeds) == ("noise", "C9", "normal", (1, 2, 3))
    assert (manifest.steps, manifest.score, manifest.keep) == (20_000, "final", "generator")
    assert manifest.rules == {"uniform": Rule("higher"), "minimax": Rule("alike", 0.2)}
    assert manifest.arms["uniform"] == Arm({"prior": "uniform"})
    assert manifest.arms["minimax"].points == {
        "generator_optimizer.lr=0.1": {"loss": "minimax", "generator_optimizer.lr": 0.1},
        "generator_optimizer.lr=0.01": {"loss": "minimax", "generator_optimizer.lr": 0.01},
    }


@pytest.mark.parametrize("name", sorted(shipped_manifests()))
def test_a_resolved_manifest_reads_as_the_same(name, tmp_path):
    manifest = replace(read_manifest(name), steps=7)
    manifest.write(tmp_path)
    assert read_manifest(tmp_path) == manifest


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("claim:", "clam:", ":2: unknown key 'clam'; did you mean 'claim'?"),
        ("base: {config: mlp_gan}", "base: {confg: mlp_gan}", ":3: unknown key 'base.confg'; did you mean 'config'?"),
        ("base: {config: mlp_gan}", "base: {config: 5}", ":3: base.config must be a name"),
        ("{prior: uniform}", "{1: 2}", ":6: arms.uniform must be a mapping"),
        ("seeds:", "baseline: [a]\nseeds:", ":8: ['a'] is no arm"),
        ("base: {", "base: {trainer: {max_steps: 9}, ", ":3: the length of the runs is budgets.full"),
        ("  normal: {}", "  a/b: {}", ":5: 'a/b' cannot be an arm's name"),
        ("{prior: uniform}", "uniform", ":6: arms.uniform must be a mapping"),
        ("[0.1, 0.01]", "0.1", ":7: arms.minimax.grid must map keys to lists"),
        ("1-3", "3-1", ":8: seeds must be a text such as 1-5"),
        ("seeds: 1-3\n", "", ": lacks seeds"),
        ("full: 20_000", "full: many", ":9: budgets.full must be a whole number"),
        ("full: 20_000, ", "", ":9: budgets needs full"),
        ("failure:", "budget_in: epochs\nfailure:", ":10: budget_in must be one of updates, images, got 'epochs'"),
        ("fid_above: 100}", "class_share_below: 0.1}\nscore: best", ":10: class_share_below is of the report"),
        ("fid_above: 100", "fid_above: -1", ":10: failure.fid_above must be a positive number"),
        ("  uniform: higher", "  unifrm: higher", ":12: rules: 'unifrm' is no arm beside the baseline"),
        ("expect: alike", "expect: same", ":13: rules.minimax must be lower, higher, alike"),
        ("margin: 0.2", "margin: 0", ":13: rules.minimax.margin must be a positive number"),
        ("seeds:", "score: last\nseeds:", ":8: score must be final, best"),
        ("seeds:", "keep: some\nseeds:", ":8: keep must be one of generator, all, none"),
        ("seeds:", "baseline: other\nseeds:", ":8: 'other' is no arm"),
        ("  normal: {}", "  normal: {step: 100}", ":4: all arms have a step, or none"),
    ],
)
def test_a_mistake_names_file_and_line(before, after, says, tmp_path):
    assert before in TEXT
    with pytest.raises(UserError) as error:
        read(tmp_path, TEXT.replace(before, after, 1))
    assert f"noise.yaml{says}" in str(error.value)


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(UserError, match=r"manifest priers: no such file.*did you mean 'priors'\?"):
        read_manifest("priers")


def test_a_grid_makes_an_arm_of_each_combination_named_by_what_varies():
    grid = {"prior": ["normal", {"name": "uniform", "bound": 2.0}], "trainer.precision": ["32-true", "bf16-mixed"]}
    arms = tiny_manifest(arms=None, grid=grid).arms
    assert list(arms) == [
        "prior=normal,trainer.precision=32-true",
        "prior=normal,trainer.precision=bf16-mixed",
        "prior=uniform_bound_2.0,trainer.precision=32-true",
        "prior=uniform_bound_2.0,trainer.precision=bf16-mixed",
    ]


FIELDS = {
    "generator_optimizer.lr": {"log_uniform": [1e-5, 1e-2]},
    "generator_optimizer.momentum": {"uniform": [0.0, 1.0]},
    "d_steps": {"whole": [1, 5]},
    "prior": {"choice": ["normal", "uniform"]},
}


def test_random_arms_are_drawn_once_and_stored(tmp_path):
    manifest = tiny_manifest(arms={"default": {}}, random={"count": 60, "seed": 1, "fields": FIELDS})
    drawn = [arm.overrides for name, arm in manifest.arms.items() if name != "default"]
    assert list(manifest.arms)[1] == "draw_001"
    assert {draw["d_steps"] for draw in drawn} == {1, 2, 3, 4, 5}
    assert {draw["prior"] for draw in drawn} == {"normal", "uniform"}
    logs = [math.log10(draw["generator_optimizer.lr"]) for draw in drawn]
    assert -5 <= min(logs) < -4.6
    assert -2.4 < max(logs) <= -2
    assert abs(sum(logs) / 60 + 3.5) < 0.4
    assert (
        drawn[0]["d_steps"]
        == tiny_manifest(random={"count": 1, "seed": 1, "fields": FIELDS}).arms["draw_001"].overrides["d_steps"]
    )
    manifest.write(tmp_path)
    assert read_manifest(tmp_path) == manifest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"count": 0}, "random.count must be a whole number"),
        ({"fields": {"d_steps": {"normal": [0, 1]}}}, "random.fields.d_steps must have one of uniform, log_uniform"),
        ({"fields": {"d_steps": {"whole": [1.5, 2]}}}, r"random.fields.d_steps.whole must be \[LOW, HIGH\]"),
        ({"fields": {"d_steps": {"log_uniform": [0, 2]}}}, r"must be \[LOW, HIGH\]"),
        ({"number": 3}, "unknown key 'random.number'"),
    ],
)
def test_mistakes_in_random_arms(change, says):
    with pytest.raises(UserError, match=says):
        tiny_manifest(random={"count": 2, "fields": FIELDS} | change)


def test_a_manifest_needs_arms():
    with pytest.raises(UserError, match="from 1 to"):
        tiny_manifest(arms={})
    assert TREE["arms"]
