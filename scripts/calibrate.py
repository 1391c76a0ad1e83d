"""Measure known damage with every measure, at several numbers of fakes: rows, and from them a table and a plot.

    python scripts/calibrate.py run --data mnist --data-root DIR --rows mnist.jsonl
    python scripts/calibrate.py page --rows mnist.jsonl --out docs/results/calibration_mnist

`run` writes a row for each damage, number and draw, and goes on with those that a file lacks. MNIST at 1,000, 5,000 and
10,000 images takes hours of one core (docs/metrics.md). Real images are the test images; fakes are made of one half of
the training images, and the other half is the training set.
"""

import argparse
import json
import math
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

from gan.ablations.report.figures import STYLE, WIDTH, save
from gan.base.errors import UserError
from gan.cli.measured import best_in_words
from gan.data.datamodule import ImageDataModule
from gan.data.split import Split
from gan.measure.calibration import DAMAGES, NOTHING, Cell, Material, calibrated, cells
from gan.measure.extractors.registry import extractor_of
from gan.measure.registry import MEASURES, chosen

LEFT_OUT = ("discriminator",)  # there is none
FEW = (NOTHING, "noise, sigma 16", "a class missing", "20 % duplicates")  # damages of the smaller sets
SIZES = {"mnist": (1000, 5000, 10_000)}
# What stands in the table: the values that tell most of each measure.
SHOWN = (
    *("fid", "fid_infinity", "kid", "clipped_density", "clipped_coverage", "knn_precision", "knn_recall", "density"),
    *("coverage", "nn_accuracy", "c2st_accuracy", "classifier_score", "class_kl", "class_p", "within", "between"),
    *("c_t", "closer", "swd", "parzen_ll"),
)


def halves(train: Split) -> Material:
    """Two random halves of the training images, the same each time."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    fresh, kept = order[: len(train) // 2], order[len(train) // 2 :]
    return Material(*(Split(train.images[part], train.labels[part]) for part in (fresh, kept)))


def run(options: argparse.Namespace) -> None:
    """Append the rows that the file lacks."""
    data = ImageDataModule(options.data, root=options.data_root)
    data.prepare_data()
    data.setup()
    loaded, material = data.loaded, halves(data.loaded.train)
    damages = list(DAMAGES) if options.data == "mnist" else list(FEW)
    sizes = options.sizes or SIZES.get(options.data, (len(loaded.test),))
    known = {(row["damage"], row["num"], row["draw"]) for row in read(options.rows)}
    points = [
        (damage, num, draw)
        for num in sizes
        for draw in range(options.draws)
        for damage in damages
        if (damage, num, draw) not in known
    ]
    measures = chosen({name: {} for name in MEASURES if name not in LEFT_OUT})
    with options.rows.open("a") as file:
        for row in calibrated(loaded.test, material, extractor_of(loaded), measures, points):
            values = {k: v if math.isfinite(v) else None for k, v in row["values"].items()}
            origin = {"data_set": loaded.name, "source": loaded.source, "data_sha256": loaded.sha256}
            file.write(json.dumps({**origin, **row, "values": values}) + "\n")
            file.flush()
            print(row["damage"], row["num"], row["draw"], flush=True)


def read(path: Path) -> list[dict]:
    """The rows of a file; none without a file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def page(options: argparse.Namespace) -> None:
    """Print a table for each number of fakes, and draw the powers."""
    rows = read(options.rows)
    better = {name: b for one in chosen({name: {} for name in MEASURES}) for name, b in one.measure.values.items()}
    sizes = sorted({row["num"] for row in rows})
    damages = list(dict.fromkeys(row["damage"] for row in rows))
    every = {num: {name: cells(rows, name, better[name], num) for name in SHOWN} for num in sizes}
    for num in sizes:
        draws = len({row["draw"] for row in rows if row["num"] == num})
        print(f"\n{num:,} fakes against {rows[0]['num_real']:,} test images, {draws} draws:\n")
        print(f"| value | best | {' | '.join(damages)} |\n|{' --- |' * (len(damages) + 2)}")
        for name in SHOWN:
            best = best_in_words(better[name])
            print(f"| `{name}` | {best} | {' | '.join(words(every[num][name].get(d), d) for d in damages)} |")
    draw(every, damages[1:], options.out)


def words(found: Cell | None, damage: str) -> str:
    """A mean with its interval, and its power where it is not of undamaged images."""
    if found is None:
        return "–"
    text = f"{found.mean:.3g} ({found.low:.3g} to {found.high:.3g})"
    if damage == NOTHING:
        return text
    return f"**{text}**" if found.power >= 0.9 else text if found.power >= 0.2 else f"*{text}*"


def draw(every: dict[int, dict[str, dict[str, Cell | None]]], damages: list[str], out: Path) -> None:
    """A map of powers for each number of fakes."""
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(WIDTH, 2.6 * len(every) + 0.6), layout="constrained")
        for axes, (num, found) in zip(figure.subplots(len(every), 1, squeeze=False).flat, every.items(), strict=True):
            powers = np.array([[c.power if (c := found[n].get(d)) else math.nan for n in SHOWN] for d in damages])
            drawn = axes.imshow(powers, cmap="cividis", vmin=0, vmax=1, aspect="auto")
            for (y, x), power in np.ndenumerate(powers):
                shade = "black" if power > 0.5 else "white"
                text = "–" if math.isnan(power) else f"{power:.1f}"
                axes.text(x, y, text, ha="center", va="center", color=shade, size=5)
            axes.set_xticks(range(len(SHOWN)), SHOWN, rotation=60, ha="right")
            axes.set_yticks(range(len(damages)), damages)
            axes.set_title(f"{num:,} fakes")
        figure.colorbar(drawn, ax=figure.axes, label="probability of an alarm at a level of 5 %", shrink=0.4)
        save(figure, out)
        figure.savefig(out.with_suffix(".png"), dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("--data", default="mnist")
    running.add_argument("--data-root")
    running.add_argument("--sizes", type=lambda text: [int(word) for word in text.split(",")], default=None)
    running.add_argument("--draws", type=int, default=5)
    running.set_defaults(call=run)
    paging = commands.add_parser("page")
    paging.add_argument("--out", type=Path, required=True, help="the plot, without its suffix")
    paging.set_defaults(call=page)
    for command in (running, paging):
        command.add_argument("--rows", type=Path, required=True)
    options = parser.parse_args()
    try:
        options.call(options)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
