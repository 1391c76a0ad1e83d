"""Runs become arms: a manifest's, those of keys, or whatever differs; what may not be compared is refused."""

import math

import pytest
import yaml
from run_support import gan
from written_runs import written_arms, written_run

from gan.ablations.bundle import bundle
from gan.ablations.report.study import opened, study
from gan.base.errors import UserError

UNIFORM = {"prior": {"name": "uniform", "bound": 1.0, "mean": None, "std": None}}
FAST = {"generator_optimizer": {"lr": 0.1}}
ARMS = {"normal": {}, "uniform": UNIFORM}
SCORES = {"normal": [9.0, 10.0], "uniform": [7.0, math.inf]}


def read(*paths, **how):
    with opened(paths) as sources:
        found = study(sources, **how)
        for run in found.runs:
            _ = run.rows
        return found


def values(found):
    return {name: group.values for name, group in found.groups.items()}


def manifest(place, **changes):
    tree = {
        **{"question": "Does the prior matter?", "base": {"config": "mlp_gan"}, "baseline": "normal"},
        **{"arms": {"normal": {}, "uniform": {"prior": "uniform"}}, "seeds": [1, 2, 3], "budgets": {"full": 300}},
        **{"rules": {"uniform": {"expect": "alike", "margin": 0.5}}},
    }
    place.mkdir(exist_ok=True)
    (place / "manifest.yaml").write_text(yaml.safe_dump(tree | changes, sort_keys=False))
    return place


def test_without_a_manifest_arms_are_what_differs_but_for_seed_and_place(tmp_path):
    place = written_arms(tmp_path / "runs", ARMS, SCORES)
    found = read(place)
    assert values(found) == {"prior=normal": [9.0, 10.0], "prior=uniform": [7.0, math.inf]}
    assert (found.name, found.baseline, found.planned) == ("runs", "prior=normal", False)
    assert found.groups["prior=uniform"].changes["prior"] == ("normal", "uniform")
    assert found.protocol["role"] == "report"


def test_of_several_keys_arms_are_named_by_what_they_change_of_the_usual(tmp_path):
    arms = ARMS | {"fast": FAST}
    place = written_arms(tmp_path / "runs", arms, SCORES | {"fast": [20.0, 30.0]})
    found = read(place)
    assert set(found.groups) == {"base", "prior=uniform", "generator_optimizer.lr=0.1"}
    assert found.baseline == "base"
    assert "prior=normal" in found.notes[0]
    assert "generator_optimizer.lr=0.001" in found.notes[0]


def test_keys_make_arms_and_what_else_differs_is_said_and_paired(tmp_path):
    both = {**UNIFORM, **FAST}
    arms = ARMS | {"fast": FAST, "both": both}
    place = written_arms(tmp_path / "runs", arms, SCORES | {"fast": [20.0, 30.0], "both": [21.0, 31.0]})
    found = read(place, by=["recipe.prior"])
    assert values(found) == {"prior=normal": [9.0, 20.0, 10.0, 30.0], "prior=uniform": [7.0, 21.0, math.inf, 31.0]}
    assert found.notes == ["Runs of one arm differ in generator_optimizer.lr, too."]
    first, second = found.groups.values()
    assert first.scores.keys() == second.scores.keys()
    chosen = "prior=uniform, generator_optimizer.lr=0.1"
    several = read(place, by=["prior", "model.recipe.generator_optimizer.lr"], baseline=chosen)
    assert len(several.groups) == 4
    apart = read(place / "normal", place / "both", by=["prior"])
    assert apart.notes == ["Runs of different arms differ in generator_optimizer.lr, too."]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--by=recipe.priors"], "did you mean 'prior'"),
        (["--baseline=gamma"], "'gamma' is no arm"),
        (["--against=epochs"], "must be one of images, steps, seconds"),
        (["--basline=x"], "unrecognized arguments"),
    ],
)
def test_mistakes_are_one_line(words, says, tmp_path, capsys):
    place = written_arms(tmp_path / "runs", ARMS, SCORES, picture=None)
    assert gan("report", place, *words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not (place / "report").exists()


def test_places_without_runs_are_one_line(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "nothing"):
        assert gan("report", path) == 2
        assert str(path) in capsys.readouterr().err


def test_rows_of_different_protocols_are_refused_with_the_field(tmp_path):
    place = written_arms(tmp_path / "runs", ARMS, SCORES)
    written_run(tmp_path / "runs" / "other" / "seed_1", protocol={"num_fake": 77}, recipe=FAST)
    with pytest.raises(UserError, match="num_fake is 1000 in the first, 77 in the second") as caught:
        read(place)
    assert "other" in str(caught.value)
    assert "normal" in str(caught.value)


def test_another_noise_seed_is_the_same_protocol(tmp_path):
    written_run(tmp_path / "a" / "seed_1", protocol={"noise_seed": 3})
    written_run(tmp_path / "a" / "seed_2", seed=2)
    assert len(read(tmp_path / "a").groups["all runs"].scores) == 2


def test_runs_without_a_score_are_counted_by_their_state(tmp_path):
    place = tmp_path / "runs"
    written_run(place / "1", seed=1)
    written_run(place / "2", seed=2, state="running")  # its process is gone
    written_run(place / "3", seed=3, state="stopped")
    written_run(place / "4", [], seed=4, more={"trainer": {"max_steps": 300}})
    written_run(place / "5", seed=5, state="failed")
    (group,) = read(place).groups.values()
    assert group.values == [20.0, math.inf]
    assert group.states() == {"killed": 1, "stopped": 1, "not measured": 1}


def test_a_manifest_s_arms_are_read_by_its_rules_and_missing_runs_are_counted(tmp_path):
    place = manifest(tmp_path / "priors")
    written_arms(place, ARMS, SCORES)
    found = read(place)
    assert values(found) == {"normal": [9.0, 10.0], "uniform": [7.0, math.inf]}
    assert (found.name, found.baseline, found.planned) == ("priors", "normal", True)
    assert found.groups["uniform"].states() == {"not started": 1}
    manifest(place, score="best", failure={"fid_above": 8})
    assert values(read(place)) == {"normal": [math.inf, math.inf], "uniform": [7.0, math.inf]}


def test_runs_that_a_sweep_says_failed_count_as_failures(tmp_path):
    place = manifest(tmp_path / "priors")
    written_arms(place, ARMS, SCORES)
    written_run(place / "normal" / "seed_3", seed=3, state="running")  # killed
    for arm in ARMS:
        (place / arm / "seed_3.failed.json").write_text('{"reason": "out of memory"}')
    for path in (place, bundle(place)):
        found = read(path)
        assert values(found) == {"normal": [9.0, 10.0, math.inf], "uniform": [7.0, math.inf, math.inf]}
        assert found.groups["uniform"].status((3,)) == "failed (out of memory)"
        assert not any(group.states() for group in found.groups.values())


def test_further_sources_stand_beside_the_first(tmp_path):
    place = manifest(tmp_path / "priors")
    written_arms(place, ARMS, SCORES)
    theirs = written_arms(tmp_path / "theirs", {"normal": {}}, {"normal": [11.0]})
    found = read(place, theirs)
    assert values(found)["theirs/runs"] == [11.0]
    assert found.groups["normal"].states() == {"not started": 1}
    assert found.groups["theirs/runs"].states() == {}
    again = read(place, bundle(place))
    assert set(again.groups) == {"normal", "uniform", "priors.zip/normal", "priors.zip/uniform"}


def test_a_score_that_is_not_positive_is_refused(tmp_path):
    written_run(tmp_path / "a" / "seed_1", [3.0, -1.0])
    with pytest.raises(UserError, match=r"its score is -1\.0"):
        read(tmp_path / "a")
