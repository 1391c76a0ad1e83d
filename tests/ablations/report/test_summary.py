"""The table says what the statistics say, in words that hold at few runs."""

import math
import re

import pytest
from test_study import ARMS, manifest, read
from written_runs import written_arms

from gan.ablations.power import runs_to_decide
from gan.ablations.report.study import Group
from gan.ablations.report.summary import number, probability, records, summary, values, words
from gan.ablations.statistics import compare, failures, holm, typical
from gan.ablations.verdict import judge

NORMAL, UNIFORM, FAST = [9.0, 10.0, 12.0], [7.0, 11.0, 9.0], [30.0, math.inf, 41.0]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    place = manifest(
        tmp_path_factory.mktemp("sweep") / "priors",
        arms={"normal": {}, "uniform": {"prior": "uniform"}, "fast": {"generator_optimizer.lr": 0.1}},
        rules={"uniform": "lower", "fast": "higher"},
    )
    arms = ARMS | {"fast": {"generator_optimizer": {"lr": 0.1}}}
    written_arms(place, arms, {"normal": NORMAL, "uniform": UNIFORM, "fast": FAST}, picture=None)
    return read(place)


def test_the_numbers_are_those_of_the_statistics(found):
    normal, uniform, fast = records(summary(found), found)
    assert (uniform["typical"], uniform["typical_low"]) == (typical(UNIFORM).value, typical(UNIFORM).low)
    ratio = compare(UNIFORM, NORMAL).ratio
    assert (uniform["ratio"], uniform["ratio_high"], uniform["pairs"]) == (ratio.value, ratio.high, 3)
    expected = holm({"uniform": compare(UNIFORM, NORMAL).p, "fast": compare(FAST, NORMAL).p})
    assert (uniform["p_holm"], fast["p_holm"]) == (expected["uniform"], expected["fast"])
    assert (fast["failed"], fast["failure_rate_high"]) == (1, failures(FAST).high)
    assert fast["scores"] == "30.0 failed 41.0"
    assert (normal["ratio"], normal["p"], normal["baseline"]) == (None, None, True)
    verdict = judge(found.manifest.rules["uniform"], UNIFORM, NORMAL, arms=2)
    assert (uniform["verdict"], uniform["verdict_p"]) == (verdict.verdict, verdict.p)
    assert uniform["runs_needed"] == runs_to_decide(UNIFORM, NORMAL, arms=2)


def test_the_words_of_a_line(found):
    normal, uniform, fast = (words(line, found) for line in summary(found))
    assert normal["arm"] == "normal (baseline)"
    assert uniform["scores"] == "7.00, 11.0, 9.00"
    assert fast["scores"] == "30.0, failed, 41.0"
    assert re.fullmatch(r"8\.85 \[\d\.\d\d, \d\d\.\d\]", uniform["typical score"])
    assert fast["failed"] == "1 [6 %, 79 %]"
    assert re.fullmatch(r"lower: undecided at this budget; \d+ runs an arm would decide it.*", uniform["verdict"])
    assert fast["verdict"] == "higher: undecided at this budget"
    assert "±" not in "".join([*normal.values(), *uniform.values(), *fast.values()])


def test_without_rules_there_is_no_verdict_and_one_arm_is_not_compared(tmp_path):
    place = written_arms(tmp_path / "runs", {"normal": {}}, {"normal": NORMAL}, picture=None)
    alone = read(place)
    (line,) = summary(alone)
    assert set(words(line, alone)) == {"arm", "n", "failed", "typical score", "scores"}


def test_what_was_not_run_is_said(tmp_path):
    place = manifest(tmp_path / "priors")
    written_arms(place, {"normal": {}}, {"normal": NORMAL}, picture=None)
    unrun = read(place)
    _, uniform = (words(line, unrun) for line in summary(unrun))
    assert uniform["n"] == "0 of 3 (3 not started)"
    assert uniform["verdict"] == "alike (ratio 0.667 to 1.50): not run"
    assert uniform["typical score"] == uniform["ratio to the baseline"] == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.05123, "0.0512"),
        (4.2149, "4.21"),
        (76.66, "76.7"),
        (1234.5, "1,234"),
        (9.999, "10.00"),
        (2e-9, "2e-09"),
        (math.inf, "failed"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_many_values_are_a_range():
    def group(*scores):
        return Group("arm", {}, {(seed,): score for seed, score in enumerate(scores)}, len(scores))

    assert values(group(*map(float, range(1, 11)))).count(",") == 9
    assert values(group(*map(float, range(1, 12)), math.inf)) == "1.00 … 11.0"


def test_a_score_above_the_bound_is_told(tmp_path):
    place = manifest(tmp_path / "priors", failure={"fid_above": 10}, rules={})
    written_arms(
        place, {"normal": {}, "uniform": {"prior": "uniform"}}, {"normal": NORMAL, "uniform": UNIFORM}, picture=None
    )
    bounded = read(place)
    normal, uniform = (words(line, bounded) for line in summary(bounded))
    assert (normal["scores"], uniform["scores"]) == ("9.00, 10.0, failed (12.0)", "7.00, failed (11.0), 9.00")
    assert [normal["failed"][0], uniform["failed"][0]] == ["1", "1"]


def test_p_has_a_least_word():
    assert (probability(None), probability(0.0), probability(0.0341)) == ("–", "< 0.001", "0.034")
