"""A sweep is planned whole: every arm is built, and each run has its place and its digest."""

import re
from pathlib import Path

import pytest
from sweep_support import BASE, TREE, tiny_manifest

from gan.ablations.manifest import read_manifest
from gan.ablations.planning import tasks_of
from gan.base.errors import UserError
from gan.runs.yaml_files import to_yaml

DOCS = Path(__file__).parents[2] / "docs"
ARMS = "arms:\n  normal: {}\n  other: {prior: uniform}\n"


def planned(tmp_path: Path, arms: str, base=BASE):
    """The tasks of a manifest in a file whose first lines are its arms."""
    file = tmp_path / "tiny.yaml"
    rest = {key: value for key, value in TREE.items() if key not in ("arms", "base")}
    file.write_text(arms + to_yaml({"base": base, **rest}))
    return tasks_of(read_manifest(file), tmp_path / "tiny")


def test_all_arms_come_with_a_seed_before_the_next_seed(tmp_path):
    names = [task.name for task in planned(tmp_path, ARMS)]
    assert names == ["normal/seed_1", "other/seed_1", "normal/seed_2", "other/seed_2"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("prior: unifrm", "recipe.prior: unknown name 'unifrm'; did you mean 'uniform'?"),
        ("piror: uniform", "recipe has no field 'piror'; did you mean 'prior'?"),
        ("real_range: unit", "recipe.real_range: unit changes nothing"),
        ("trainer.max_stepps: 7", "unknown key 'trainer.max_stepps'"),
        ("trainer.max_steps: 7", "trainer.max_steps is no part of an arm"),
        ("seed_everything: 7", "seed_everything is no part of an arm"),
        ("trainer.precision: 16-true", "trainer.precision"),
        ("generator: {widths: [0]}", "generator: widths must be"),
        ("prior: normal", "arms 'normal' and 'other' are equal"),
    ],
)
def test_an_arm_that_cannot_be_built_is_named_with_its_line(change, says, tmp_path):
    with pytest.raises(UserError) as error:
        planned(tmp_path, ARMS.replace("prior: uniform", change))
    assert "tiny.yaml:3: " in str(error.value)
    assert says in str(error.value)


def test_a_mistake_in_the_base_is_not_that_of_an_arm(tmp_path):
    with pytest.raises(UserError, match=r"tiny.yaml:4: base: .*'data.sorce'; did you mean 'source'"):
        planned(tmp_path, ARMS, {**BASE, "data": {"sorce": "embedded"}})


def test_points_of_a_grid_that_are_equal_are_refused(tmp_path):
    with pytest.raises(UserError, match="arms 'other/batch_size=8' and 'other/batch_size=8_1' are equal"):
        planned(tmp_path, ARMS.replace("prior: uniform", "prior: uniform, grid: {batch_size: [8, 8]}"))


def test_a_digest_is_that_of_recipe_data_precision_and_length(tmp_path):
    def digests(**change):
        arms = {"arms": {"a": {}}} | change
        return [task.claim.name for task in tasks_of(tiny_manifest(**arms), tmp_path / "tiny")]

    first = digests()
    assert len(set(first)) == 2
    assert digests(name="other", question="Another?") == first
    assert digests(base={**BASE, "data": {"source": "embedded", "root": str(tmp_path)}}) == first
    assert digests(arms={"b": {"prior": "normal"}}) == first
    for change in (
        {"budgets": {"full": 7}},
        {"base": {**BASE, "trainer": {"precision": "bf16-mixed"}}},
        {"base": {**BASE, "data": {"source": "embedded", "split": "full"}}},
        {"base": {**BASE, "model": {**BASE["model"], "recipe": {**BASE["model"]["recipe"], "d_steps": 2}}}},
        {"keep": "none"},
    ):
        assert not set(digests(**change)) & set(first), change


def test_arms_that_are_read_at_steps_share_their_runs(tmp_path):
    arms = {"at_6": {"step": 6}, "at_3": {"step": 3}}
    base = {**BASE, "evaluation": {"every_n_steps": 3}}
    found = tasks_of(tiny_manifest(arms=arms, base=base), tmp_path / "tiny")
    assert [task.name for task in found] == ["at_6/seed_1", "at_6/seed_2"]


@pytest.mark.parametrize(
    ("every", "change", "says"),
    [
        (3, {"arms": {"at_4": {"step": 4}}}, "at step 4 nothing is measured; give a multiple, of at most 6, of"),
        (3, {"arms": {"at_9": {"step": 9}}}, "at step 9 nothing is measured"),
        (0, {"arms": {"at_6": {"step": 6}}}, "evaluation is off"),
        (3, {"score": {"mean_of_last": 3}}, "arm 'normal' has fewer than 3 measurements"),
    ],
)
def test_a_score_that_no_run_will_have_is_refused(every, change, says, tmp_path):
    base = {**BASE, "evaluation": {"every_n_steps": every}}
    with pytest.raises(UserError, match=says):
        tasks_of(tiny_manifest(base=base, **change), tmp_path / "tiny")


def test_runs_of_as_many_images_have_as_many_updates_as_their_batches_ask_for(tmp_path):
    arms = {"whole": {}, "halves": {"batch_size": 4}, "critic": {"d_steps": 3}}
    base = {**BASE, "model": {**BASE["model"], "recipe": {**BASE["model"]["recipe"], "batch_size": 8, "d_steps": 1}}}
    length = {"budget_in": "images", "budgets": {"full": 100}}
    manifest = tiny_manifest(arms=arms, base=base, **length, seeds=[1], keep="generator")
    found = tasks_of(manifest, tmp_path / "tiny")
    assert {task.arm: task.steps for task in found} == {"whole": 12, "halves": 25, "critic": 4}
    assert all(task.tree["trainer"]["max_steps"] == task.steps for task in found)
    assert all(task.given["checkpoints"]["milestones"] == [task.steps] for task in found)


def test_packed_seeds_are_one_task(tmp_path):
    found = tasks_of(tiny_manifest(), tmp_path / "tiny", packed=True)
    assert [(task.name, task.seeds) for task in found] == [("normal", (1, 2)), ("uniform", (1, 2))]
    with pytest.raises(UserError, match="packed seeds follow one another"):
        tasks_of(tiny_manifest(seeds=[1, 3]), tmp_path / "tiny", packed=True)


def test_the_example_of_the_docs_is_planned(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "ablations.md").read_text(encoding="utf-8"), re.S)
    file = tmp_path / "example.yaml"
    file.write_text(text.replace("{config: mlp_gan}", "{config: mlp_gan, data: {source: embedded}}"))
    assert len(tasks_of(read_manifest(file), tmp_path / "example")) == 20
