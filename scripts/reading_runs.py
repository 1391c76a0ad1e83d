"""A picture and two tables of a run's curves, for docs/reading_runs.md.

    python scripts/reading_runs.py RUN [--steps 0 1000 2000 4000] [--out docs/reading_runs/NAME.png]

The picture has the curves above and samples of one noise below, at `--steps` (four of the run's own grids when left
out). Printed is markdown: the curves' means between these steps (medians of the gradient norms, which have peaks), and
one row per measurement. It needs what `gan fit` leaves in RUN: event files, samples/step_N.png and metrics.jsonl.
"""

import argparse
import itertools
import math
import statistics
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from gan.base.errors import UserError
from gan.runs.reader import Run, read_run

Curve = dict[int, float]  # generator updates -> value

TRAINING = {
    "losses": ("loss/discriminator", "loss/generator"),
    "D(x) and D(G(z))": ("probability/real", "probability/fake", "probability/equilibrium"),
    "D's accuracy": ("accuracy/real", "accuracy/fake"),
    "gradient norms": ("gradient_norm/discriminator", "gradient_norm/generator"),
}
PANELS = TRAINING | {
    "FID and floor, held-out images": ("fid", "fid_floor"),
    "rarest class, held-out images": ("min_class_share",),
}
MEASURED = ("fid", "fid_floor", "min_class_share")  # of metrics.jsonl, so that averaged weights have no other name
LOGARITHMIC = ("gradient norms", "FID and floor, held-out images")
SIZE = (860, 600)  # pixels of the picture
TILES = (6, 4)  # of each grid: columns, rows
COLUMNS = 10  # of the grids that gan.runs.callbacks.ImageGrid writes
COLOURS = 32  # of the palette
POINTS = 400  # of a curve; longer ones are averaged to this many
PRESENT = 0.01  # share of the samples from which a class counts as made


def read_curves(run: Run) -> dict[str, Curve]:
    """Every scalar of the event files, and what was measured on held-out images."""
    measured = {name: {row["step"]: row[name] for row in run.selection_rows} for name in MEASURED}
    finite = {name: {k: v for k, v in curve.items() if v is not None} for name, curve in measured.items()}
    return run.scalars() | finite


def thinned(curve: Curve) -> Curve:
    """The curve, averaged to at most POINTS points."""
    points = list(curve.items())
    width = max(1, -(-len(points) // POINTS))
    windows = [points[i : i + width] for i in range(0, len(points), width)]
    return {window[-1][0]: statistics.fmean(value for _, value in window) for window in windows}


def tiles(grid: Path) -> np.ndarray:
    """The upper left corner of a grid, uint8 (H, W, 3)."""
    picture = np.asarray(Image.open(grid).convert("RGB"))
    pitch = (picture.shape[1] - 2) // COLUMNS
    return picture[: 2 + TILES[1] * pitch, : 2 + TILES[0] * pitch]


def draw(curves: dict[str, Curve], samples: dict[int, np.ndarray], out: Path) -> None:
    """Two rows of panels, one row of samples; a PNG with a palette."""
    width, height = SIZE
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")
    places = figure.add_gridspec(3, 12, height_ratios=(1, 1, 0.9))
    for i, (title, tags) in enumerate(PANELS.items()):
        axis = figure.add_subplot(places[i // 3, i % 3 * 4 : i % 3 * 4 + 4])
        for tag in tags:
            points = thinned(curves.get(tag, {}))
            marker = "." if tag in MEASURED else None
            axis.plot(
                points.keys(), points.values(), label=tag.split("/")[-1], linewidth=0.9, marker=marker, markersize=4
            )
        axis.set_title(title, fontsize=8)
        axis.set_yscale("log" if title in LOGARITHMIC else "linear")
        axis.tick_params(which="both", labelsize=6)
        if tags == ("min_class_share",):
            axis.set_ylim(-0.005, max([0.11, *points.values()]))
        if len(tags) > 1:
            axis.legend(fontsize=6, framealpha=0.5)
    for i, (step, picture) in enumerate(samples.items()):
        share = 12 // len(samples)
        axis = figure.add_subplot(places[2, i * share : (i + 1) * share])
        axis.imshow(picture, interpolation="antialiased")
        axis.set_title(f"samples at {step:,}", fontsize=8)
        axis.axis("off")
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    out.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(buffer) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(out, optimize=True)


def stretches(curves: dict[str, Curve], steps: list[int]) -> str:
    """Markdown: means of the curves after each step and up to the next; D(G(z)) with its extremes."""
    tags = [tag for panel in TRAINING.values() for tag in panel if tag != "probability/equilibrium"]
    lines = [f"| steps | {' | '.join(tags)} | D(G(z)) from, to |", "| --- |" + " --- |" * (len(tags) + 1)]
    for first, last in itertools.pairwise(steps):
        inside = {tag: [value for step, value in curves.get(tag, {}).items() if first < step <= last] for tag in tags}
        cells = []
        for tag, values in inside.items():
            mean = statistics.median if tag.startswith("gradient_norm") else statistics.fmean
            cells.append(f"{mean(values):.3g}" if values else "")
        fakes = inside["probability/fake"]
        extremes = f"{min(fakes):.2f}, {max(fakes):.2f}" if fakes else ""
        lines.append(f"| {first + 1:,} to {last:,} | {' | '.join(cells)} | {extremes} |")
    return "\n".join(lines)


def measured(rows: list[dict[str, Any]]) -> str:
    """Markdown: one row per measurement."""
    titles = ("step", "real images", "FID", "floor", "rarest class", "largest class", "classes of 1 % or more")
    titles += ("median confidence",)
    lines = [f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
    for row in rows:
        fid = math.nan if row["fid"] is None else row["fid"]  # of a generator whose weights are not finite
        shares = row["class_share"]
        role = "test" if row["role"] == "report" else "held-out"
        present = sum(share >= PRESENT for share in shares)
        lines.append(
            f"| {row['step']:,} | {row['num_real']:,} {role} | {fid:.2f} | {row['fid_floor']:.2f} | {min(shares):.1%} "
            f"| {max(shares):.1%} (class {shares.index(max(shares))}) | {present} of {len(shares)} "
            f"| {row['median_confidence']:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--steps", type=int, nargs="+", help="whose samples are shown, at most 6; they divide the run")
    parser.add_argument("--out", type=Path, help="the picture; none when left out")
    options = parser.parse_args()
    try:
        run = read_run(options.run)
        rows = [*run.selection_rows, *run.report_rows]
    except UserError as error:
        parser.error(str(error))
    found = run.pictures
    known = sorted(found)
    if not known:
        parser.error(f"{options.run}/samples: no step_N.png; train with --image_grid.every_n_steps above 0")
    steps = options.steps or sorted({known[round(i * (len(known) - 1) / 3)] for i in range(4)})
    missing = [step for step in steps if step not in found]
    if missing or len(steps) > 6:
        parser.error(f"--steps: at most 6 of {', '.join(map(str, known))}, got {', '.join(map(str, steps))}")
    curves = read_curves(run)
    if options.out:
        draw(curves, {step: tiles(found[step]) for step in steps}, options.out)
    last = max(step for curve in curves.values() for step in curve)
    print(stretches(curves, sorted({0, *steps, last})))
    print("\n" + measured(rows))


if __name__ == "__main__":
    main()
