"""Every variant on MNIST for the same number of images, and the table that comes of it.

    python scripts/compare_variants.py --runs DIR --data-root MNIST [--only DCGAN WGAN …]    # trains what is missing
    python scripts/compare_variants.py --table    # writes the table of docs/results/README.md

Each run is `gan fit --resume --model VARIANT` with the variant's own defaults, one thread and bf16-mixed, until D has
seen IMAGES real images. The first command adds its runs to docs/results/short_budget.json, from which the second makes
the table with the statistics of `gan report`. `gan report DIR/DCGAN DIR/LSGAN … --by variant` shows curves and samples.
A manifest cannot say all of it yet: its arms have one number of updates, and these have one number of images.
"""

import argparse
import json
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from gan.ablations.report.summary import between, values
from gan.ablations.statistics import typical
from gan.runs.reader import Run
from gan.variants import VARIANTS

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
RECORDS, PAGE, TIMES = RESULTS / "short_budget.json", RESULTS / "README.md", RESULTS / "step_times.json"
START, END = "<!-- table: scripts/compare_variants.py -->", "<!-- /table -->"
IMAGES, SEEDS, PRECISION = 64_000, (1, 2, 3), "bf16-mixed"
COLLAPSED = 0.01  # a run failed if a digit has less than this share of its samples, or if its weights are not finite
KEYS = ("step", "images_seen", "seed", "commit", "fid", "fid_floor", "min_class_share", "median_confidence",
        "num_real", "num_fake", "data_set", "source", "protocol", "finite", "label_agreement")  # fmt: skip


def steps(variant: str) -> int:
    """G updates until D has seen IMAGES."""
    recipe = VARIANTS[variant].defaults
    return IMAGES // (recipe.batch_size * recipe.d_steps)


def train(variant: str, seed: int, run: Path, data_root: Path) -> int:
    """Train, or go on, or leave a finished run; the exit code."""
    flags = {"model": variant, "seed_everything": seed, "run": run, "data.name": "mnist", "data.root": data_root}
    flags |= {"data.source": "idx", "trainer.max_steps": steps(variant), "trainer.devices": 1, "threads": 1}
    flags |= {"trainer.precision": PRECISION, "trainer.accelerator": "cpu", "scalars.every_n_steps": 10}
    flags |= {"evaluation.every_n_steps": 1000000, "image_grid.every_n_steps": 1000000}  # at the end only
    words = ["fit", "--resume", *(f"--{key}={value}" for key, value in flags.items())]
    with open(run.parent / f"{run.name}.log", "a") as log:
        return subprocess.run([sys.executable, "-m", "gan", *words], stdout=log, stderr=log).returncode


def record(variant: str, seed: int, run: Path, code: int) -> dict[str, Any]:
    """What the table needs of a run; without a report only that it failed."""
    row = Run(run).report or {}
    return {"variant": variant, "seed": seed, "exit_code": code} | {key: row[key] for key in KEYS if key in row}


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
        lines.append(
            f"| [`{variant}`](../../{VARIANTS[variant].__module__.replace('.', '/')}.py) | {source} "
            f"| {rate(variant):g} | {steps(variant):,} | {values(fids(rows))} | {between(middle[variant])} "
            f"| {', '.join(protocols)} | {sum(map(failed, rows))} of {len(rows)} | {rarest} | {times[variant]:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Train what is missing, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, help="where the runs are, or will be")
    parser.add_argument("--data-root", type=Path, help="folder of MNIST's idx files")
    parser.add_argument("--only", nargs="*", default=sorted(VARIANTS), choices=sorted(VARIANTS), metavar="VARIANT")
    parser.add_argument("--seeds", nargs="*", type=int, default=SEEDS)
    parser.add_argument("--table", action="store_true", help="write the table from the records")
    options = parser.parse_args()
    if options.table:
        before, rest = PAGE.read_text(encoding="utf-8").split(START)
        PAGE.write_text(f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")
        return
    if not (options.runs and options.data_root):
        parser.error("give --runs and --data-root, or --table")
    for seed in options.seeds:
        for variant in options.only:
            run = options.runs / variant / f"seed_{seed}"
            run.parent.mkdir(parents=True, exist_ok=True)
            code = 0 if Run(run).report else train(variant, seed, run, options.data_root)
            records = json.loads(RECORDS.read_text()) if RECORDS.is_file() else []
            records = [row for row in records if (row["variant"], row["seed"]) != (variant, seed)]
            records.append(record(variant, seed, run, code))
            records.sort(key=lambda row: (row["variant"], row["seed"]))
            RECORDS.write_text(json.dumps(records, indent=1) + "\n")
            print(json.dumps(record(variant, seed, run, code)), flush=True)


if __name__ == "__main__":
    main()
