"""A report, grids, tables and a record of a run, for docs/results and the README's table of variants.

    python scripts/run_report.py RUN --out docs/results/NAME [--grids 1000 10000] [--measure 1000 10000]

Writes the report of `gan report` with its curves into NAME_report, NAME_step_N.png for each grid asked for,
NAME_thumbnail.png and NAME.json (what scripts/variants_table.py reads), and prints markdown: what the run measured on
its way; one row per step that a snapshot or checkpoint holds (or that --measure names), each measured on test images
like `gan evaluate`, with the shares of predicted classes; then the means of the logged losses over the last half of the
run. A row takes as long as drawing 10,000 images does.
"""

import argparse
import json
from pathlib import Path

import gan
from gan.ablations.report.report import report
from gan.base.errors import UserError
from gan.base.images import grid, write_png
from gan.measure.given import Given
from gan.measure.measurement import Measurement
from gan.runs.pins import images_to_measure
from gan.runs.reader import Run, read_run

MEANS = (
    "loss/discriminator",
    "loss/generator",
    "probability/real",
    "probability/fake",
    "accuracy/real",
    "accuracy/fake",
)
THUMBNAIL = 6  # images


def record(run: Run) -> dict[str, object]:
    """What the README's table says of the run: the measurement on test images that counts, and what was trained."""
    if run.report is None:
        raise UserError(f"{run.directory}: has no report, a measurement on test images at its end; it is {run.status}")
    keys = ("data_set", "source", "step", "images_seen", "seed", "weights", "fid", "fid_floor", "num_fake", "commit")
    return {
        "variant": run.variant,
        "precision": run.provenance[-1]["precision"],
        **{key: run.report[key] for key in (*keys, "protocol")},
    }


def main() -> None:
    """Print the report, write its pictures and its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--out", type=Path, required=True, help="start of the files' names")
    parser.add_argument("--grids", type=int, nargs="*", default=[], help="steps whose grid is written")
    parser.add_argument("--measure", type=int, nargs="*", help="steps that are measured; all when left out")
    parser.add_argument("--data-root", help="where the data are now, if they have moved")
    parser.add_argument("--also", nargs="*", default=[], help="runs of other seeds, for the record")
    options = parser.parse_args()
    try:
        run, *others = [read_run(path) for path in (options.run, *options.also)]
        records = [record(run) for run in (run, *others)]
    except UserError as error:
        parser.error(str(error))
    curves = run.scalars()
    report([options.run], against="steps", curves=MEANS, out=options.out.with_name(f"{options.out.name}_report"))
    data, _ = images_to_measure(options.run, options.run, {"root": options.data_root})
    loaded = data.loaded
    measurement = Measurement(loaded, "report", 10000, trained_on=loaded.train, measures={"frechet": {}})
    files = run.checkpoints | run.snapshots  # of one step both hold the same generator
    for step in options.grids:
        write_png(grid(gan.load(files[step]).sample(100)), options.out.with_name(f"{options.out.name}_step_{step}.png"))
    last = gan.load(files[max(files)])
    write_png(grid(last.sample(THUMBNAIL), THUMBNAIL), options.out.with_name(f"{options.out.name}_thumbnail.png"))
    options.out.with_name(f"{options.out.name}.json").write_text(json.dumps(records, indent=1) + "\n")

    print("| step | real images | FID | median confidence | rarest class |\n| --- | --- | --- | --- | --- |")
    for row in (*run.selection_rows, *run.report_rows):
        role = "test" if row["role"] == "report" else "held-out"
        print(
            f"| {row['step']:,} | {row['num_real']:,} {role} | {row['fid']:.2f} | {row['median_confidence']:.3f} "
            f"| {row['min_class_share']:.1%} |"
        )
    print()
    steps = [step for step in sorted(files) if options.measure is None or step in options.measure]
    rows = [(step, measurement(gan.load(files[step]))[0]) for step in steps]
    print("| step | FID | median confidence | unsure | rarest class |\n| --- | --- | --- | --- | --- |")
    names = data.class_names
    for step, row in rows:
        print(
            f"| {step:,} | {row['fid']:.2f} | {row['median_confidence']:.3f} | {row['unsure_share']:.1%} "
            f"| {row['min_class_share']:.1%} ({names[row['class_share'].index(row['min_class_share'])]}) |"
        )
    (real_images,) = measurement(Given(loaded.test.images))
    print(f"| real test images | | {real_images['median_confidence']:.3f} | {real_images['unsure_share']:.1%} | |")
    if rows:
        print(f"\nFloor: {rows[-1][1]['fid_floor']:.2f}. Protocol {rows[-1][1]['protocol']}.\n")
    print(f"| step | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}")
    for step, row in rows:
        print(f"| {step:,} | " + " | ".join(f"{share:.1%}" for share in row["class_share"]) + " |")
    real = loaded.test.labels.bincount(minlength=len(names)).double() / len(loaded.test)
    print("| real test images | " + " | ".join(f"{share:.1%}" for share in real.tolist()) + " |")

    half = max(files) / 2
    print(f"\nMeans of the steps after {half:g}:\n\n| {' | '.join(MEANS)} |\n|{' --- |' * len(MEANS)}")
    tails = [[value for step, value in curves[tag].items() if step > half] for tag in MEANS]
    print("| " + " | ".join(f"{sum(tail) / len(tail):.3f}" for tail in tails) + " |")


if __name__ == "__main__":
    main()
