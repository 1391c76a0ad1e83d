"""The ledger of claims: what the runs of the shipped manifests say of each, in docs/claims.md.

    python scripts/claims.py --runs runs    # writes docs/claims.md from runs/NAME of every manifest NAME

It is what `gan report runs/NAME` says of each arm for which the manifest has a rule. A claim without runs says "not
run", one whose sweep is not finished says how many runs there are, and one without a manifest says what it needs.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from gan.ablations.design import FILE, Manifest
from gan.ablations.manifest import read_manifest
from gan.ablations.report.blocks import Block, Heading, Table, Text, markdown
from gan.ablations.report.contents import score_words
from gan.ablations.report.study import opened, study
from gan.ablations.report.summary import between, summary, verdict, words
from gan.runs.config import shipped_manifests

PAGE = Path(__file__).parents[1] / "docs" / "claims.md"
COLUMNS = ("arm", "against", "n", "score", "baseline's score", "ratio", "verdict")
ABOUT = (
    "Each verdict is that of the rule which the manifest in configs/ablations fixed before the runs. Scores are "
    "typical ones with 95 % intervals; smaller is better. By scripts/claims.py; reports.md says how to read it."
)

ELSEWHERE = {
    "C7": "The dimension of the noise (text 001 asks). Arms of `priors`, under C9.",
    "C17": "Text 001: some digits, 2 above all, are generated too rarely. No manifest: a score that names rare classes "
    "is needed. Rows hold `class_share` and `min_class_share`, without a test.",
    "C22": 'Text 003: inverted letters cause samples of "just white paper with some shadow". No manifest: '
    "`data.inverted` raises their share, but images with another share are another reference, so that FIDs do not "
    "compare; a measure of blank samples is needed.",
    "C23": "Text 002: D(x) and D(G(z)) approach 1/2. No manifest: a score may be a curve, not its distance from 1/2. "
    "TensorBoard has both as probability/real and probability/fake.",
    "C26": "More training reduces smudges and missing digits (text 001 asks). Arms of `long_run`, under C16; smudges "
    "are the rows' `unsure_share`.",
}


def ledger(manifests: Sequence[Manifest], runs: Path) -> str:
    """The page, with a section for each manifest that has a claim and for each claim without one, in their order."""
    sections: list[tuple[int, str, list[Block]]] = [
        (_number(claim), "", [Heading(f"{claim}"), Text(words)]) for claim, words in ELSEWHERE.items()
    ]
    for manifest in (manifest for manifest in manifests if manifest.claim):
        blocks: list[Block] = [Heading(f"{manifest.claim}, {manifest.name}: {manifest.question}")]
        blocks += [Text(manifest.source)] if manifest.source else []
        blocks += _found(runs / manifest.name) if (runs / manifest.name / FILE).is_file() else [Text("not run")]
        sections.append((_number(manifest.claim), manifest.name, blocks))
    ordered = [block for *_, blocks in sorted(sections, key=lambda section: section[:2]) for block in blocks]
    return markdown([Heading("Claims"), Text(ABOUT), *ordered])


def _found(place: Path) -> list[Block]:
    """What the runs of a sweep say."""
    with opened([place]) as sources:
        found = study(sources)
        lines = {line.group.name: line for line in summary(found)}
        base = between(lines[found.baseline].typical)
        rows = []
        for arm in found.manifest.rules:
            line, cells = lines[arm], words(lines[arm], found)
            ratio = cells["ratio to the baseline"]
            rows.append([arm, found.baseline, cells["n"], cells["typical score"], base, ratio, verdict(line, found)])
        protocol = found.protocol["protocol"] if found.protocol else "none"
        budget = f"{found.manifest.length}, seeds {', '.join(map(str, found.manifest.seeds))}"
        return [
            Table(COLUMNS, rows),
            Text(f"Score: {score_words(found)}. Budget: {budget}. Protocol: {protocol}."),
        ]


def _number(claim: str | None) -> int:
    return int(re.sub(r"\D", "", claim or "") or 0)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="where the sweeps are")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    page = ledger([read_manifest(path) for path in shipped_manifests().values()], options.runs)
    options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
