"""The table of docs/results/README.md, from the records of its runs.

    python scripts/compare_variants.py

The runs are of version 0.1.0. `gan sweep variants` and `gan sweep conditional_variants` make such runs today, and
`gan report` compares them.
"""

import json
import math
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from gan.ablations.report.summary import between, number
from gan.ablations.statistics import typical
from gan.variants import VARIANTS

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
RECORDS, PAGE, TIMES = RESULTS / "short_budget.json", RESULTS / "README.md", RESULTS / "step_times.json"
START, END = "<!-- table: scripts/compare_variants.py -->", "<!-- /table -->"
IMAGES = 64_000
COLLAPSED = 0.01  # a run failed if a digit has less than this share of its samples, or if its weights are not finite


def steps(variant: str) -> int:
    """G updates until D has seen IMAGES."""
    recipe = VARIANTS[variant].defaults
    return IMAGES // (recipe.batch_size * recipe.d_steps)


def failed(row: dict[str, Any]) -> bool:
    """Whether a run stopped with an error, diverged, or collapsed."""
    return row["exit_code"] != 0 or row.get("fid") is None or row["min_class_share"] < COLLAPSED


def fids(rows: list[dict[str, Any]]) -> list[float]:
    """The FID of each seed's run; infinity for a run without one."""
    return [math.inf if row.get("fid") is None else row["fid"] for row in rows]


def rate(variant: str) -> float:
    """The learning rate of G."""
    return VARIANTS[variant].defaults.generator_optimizer["lr"]


def table() -> str:
    """One row a variant. Those whose G learns at one rate stand together, in the order of their typical FIDs."""
    records, times = json.loads(RECORDS.read_text()), json.loads(TIMES.read_text())
    groups = {variant: [row for row in records if row["variant"] == variant] for variant in VARIANTS}
    groups = {variant: rows for variant, rows in groups.items() if rows}
    middle = {variant: typical(fids(rows)) for variant, rows in groups.items()}
    alike = Counter(map(rate, groups))
    order = sorted(groups, key=lambda variant: (-alike[rate(variant)], rate(variant), middle[variant].value))
    lines = [
        "| variant | source | G's rate | G updates | FID of seeds 1 to 3 | typical FID | protocol | failed "
        "| rarest digit | step time |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for variant in order:
        rows = groups[variant]
        page = sys.modules[VARIANTS[variant].__module__]
        source = re.findall(r"\(([^()]*)\)", str(page.__doc__))[-1]  # the last words of each page's first line
        protocols = sorted({row["protocol"] for row in rows if "protocol" in row})
        rarest = ", ".join(f"{row['min_class_share']:.1%}" for row in rows if "min_class_share" in row)
        scores = ", ".join(map(number, fids(rows)))
        lines.append(
            f"| [`{variant}`](../../{VARIANTS[variant].__module__.replace('.', '/')}.py) | {source} "
            f"| {rate(variant):g} | {steps(variant):,} | {scores} | {between(middle[variant])} "
            f"| {', '.join(protocols)} | {sum(map(failed, rows))} of {len(rows)} | {rarest} | {times[variant]:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Write the table."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    PAGE.write_text(f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
