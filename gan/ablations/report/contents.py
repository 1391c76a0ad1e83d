"""What stands on the page of a report, in its order."""

import math
from collections import Counter
from collections.abc import Sequence

from gan.ablations.report.blocks import Block, Code, Heading, Picture, Table, Text
from gan.ablations.report.keys import word
from gan.ablations.report.study import Study
from gan.ablations.report.summary import NONE, Line, words
from gan.measure.protocol import Protocol
from gan.runs.differences import flat
from gan.runs.rows import better_of, title_of

HOW = (
    "The typical score is the geometric mean of the runs that did not fail, with the 95 % t interval on the "
    "logarithms. Failed: their number, with the 95 % interval of the rate (Wilson)."
)
COMPARED = (
    "The ratio is that of the arm to the baseline, below 1 where the arm is better, with its 95 % interval{paired}. "
    "p is two-sided and adjusted for the number of arms (Holm); where runs failed, it is exact and of the ranks, "
    "failures being the worst, tied. P(better) is the probability that a run of the arm is better than one of the "
    "baseline."
)


def contents(
    found: Study, lines: Sequence[Line], table: Table, pictures: Sequence[Picture | Text], command: str
) -> list[Block]:
    """Return the page."""
    manifest = found.manifest
    blocks: list[Block] = [Heading(f"{found.name}: {manifest.question}" if manifest.question else found.name)]
    claims = {"Claim": manifest.claim, "Source": manifest.source}
    blocks += [Text(f"{name}: {value}") for name, value in claims.items() if value]
    blocks.append(Text(_standing(found)))
    bounds = {"its FID is above": "fid_above", "a class has a share of its samples below": "class_share_below"}
    reasons = [f"{words} {manifest.failure[key]:g}" for words, key in bounds.items() if key in manifest.failure]
    failure = ", or ".join(["it crashed or diverged", *reasons])
    blocks.append(Text(f"Score: {score_words(found)}; smaller is better. A run failed if {failure}."))
    how = HOW + (f" {COMPARED.format(paired=_pairing(lines))}" if len(lines) > 1 else "")
    blocks += [table, Text(how), *map(Text, found.notes), *pictures]
    changes = [
        (group.name, key, word(before), word(after))
        for group in found.groups.values()
        for key, (before, after) in group.changes.items()
    ]
    if changes:
        columns = ("arm", "key", "baseline's value", "arm's value")
        blocks += [Heading(f"What each arm changes against {found.baseline}"), Table(columns, changes)]
    if trouble := _trouble(found):
        blocks += [Heading("Failed and unfinished runs"), Table(("arm", "seed", "status"), trouble)]
    if found.protocol:
        fields = [(name, word(found.protocol.get(name))) for name in Protocol.__dataclass_fields__]
        fields = [("protocol", word(found.protocol.get("protocol"))), *fields]
        blocks += [Heading("How the scores were measured"), Table(("field", "value"), fields)]
    blocks += [Heading("How the runs were made"), Table(("what", "values"), _origin(found))]
    blocks += [Heading("How to make this report anew"), Code(command)]
    return blocks


def _standing(found: Study) -> str:
    """Return how many runs there are, and whether more will come."""
    scored = sum(len(group.scores) for group in found.groups.values())
    states: Counter[str] = Counter()
    for group in found.groups.values():
        states.update(group.states())
    total = scored + states.total()
    arms = f"{len(found.groups)} arm{'s' * (len(found.groups) > 1)}"
    text = f"{scored} of {total} runs in {arms} have a score"
    if states:
        counts = ", ".join(f"{count} {state}" for state, count in states.items())
        text += f" ({counts}): the numbers are of an unfinished study"
    no_rule = "No rule for a verdict was fixed before."
    return f"{text}. {'Verdicts follow the manifest.' if found.manifest.rules else no_rule}"


def _pairing(lines: Sequence[Line]) -> str:
    paired = [line.comparison for line in lines if line.comparison]
    if all(comparison.paired for comparison in paired):
        return ", of runs paired by seed"
    return ", not paired, since arms have no seeds in common" if not any(c.paired for c in paired) else ""


def _trouble(found: Study) -> list[tuple[str, str, str]]:
    """Return arm, seed and status of the runs that failed, or have no score yet."""
    rows = []
    for group in found.groups.values():
        for key in group.runs:
            score = group.scores.get(key, math.nan)
            if not math.isfinite(score):
                status = group.status(key)
                counts = ", counts as failed" if math.isinf(score) and status == "finished" else ""
                rows.append((group.name, str(key[0]), status + counts))
    return rows


def _origin(found: Study) -> list[tuple[str, str]]:
    """Return where the runs were made, and by which code."""
    places = {"commit": "repositories.gan.commit", "gan": "versions.gan", "torch": "versions.torch"}
    places |= {name: name for name in ("device", "precision", "threads")}
    entries = [flat(entry) for run in found.runs for entry in run.provenance[-1:]]
    return [
        (name, ", ".join(dict.fromkeys(word(entry[place]) for entry in entries if place in entry)) or NONE)
        for name, place in places.items()
    ]


def score_words(found: Study) -> str:
    """Return what the score of a run is. Reports compare positive numbers that are better when they are smaller."""
    manifest, name = found.manifest, title_of(found.score_name)
    better = better_of(found.protocol) if found.protocol else "lower"
    if better == "higher":
        name = f"1 / {name}"
    elif better != "lower":
        name = f"|{name} - {better}|"
    if any(arm.step for arm in manifest.arms.values()):
        return f"{name} on held-out images, at each arm's step"
    score = manifest.score
    if isinstance(score, dict) and "mean_of_last" in score:
        return f"geometric mean of the last {score['mean_of_last']} {name}s on held-out images"
    if isinstance(score, dict):
        return f"geometric mean of {score['scalar']}" + (f" where {word(score['where'])}" if score.get("where") else "")
    return {"final": f"{name} on test images at the end", "best": f"lowest {name} on held-out images"}[score]


def table_of(found: Study, lines: Sequence[Line]) -> Table:
    """Return the table of the arms."""
    rows = [words(line, found) for line in lines]
    return Table(list(rows[0]), [list(row.values()) for row in rows])
