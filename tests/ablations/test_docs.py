"""The example of docs/metrics.md gives what its comments say."""

import re
from pathlib import Path

from gan.ablations.statistics import Interval, failures, typical
from gan.ablations.verdict import Rule, judge

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def shown(interval: Interval) -> list[float]:
    return [round(x, 2) for x in (interval.value, interval.low, interval.high)]


def test_the_example():
    text = PAGE.read_text(encoding="utf-8").split("## Intervals and verdicts")[1]
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    scope: dict = {}
    exec(code, scope)
    assert shown(typical(scope["normal"])) == [3.68, 3.34, 4.07]
    assert shown(failures(scope["normal"])) == [0, 0, 0.56]
    found = judge(Rule("lower"), scope["normal"], scope["uniform"])
    assert (found.verdict, round(found.p, 3)) == ("supported", 0.012)
    assert shown(found.comparison.ratio) == [0.87, 0.82, 0.93]
