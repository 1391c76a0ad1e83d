"""Curves, grids and a table of test-image FID over the milestones of a run, for docs/results.

    python scripts/run_report.py RUN --out docs/results/NAME [--grids 1000 10000]

Writes NAME_curves.png, NAME_step_N.png for each step asked for, and prints markdown: one row per step that a
snapshot or checkpoint holds, each measured like `gan evaluate`, and the shares of predicted classes. About 10 s a row.
"""

import argparse
import re
from pathlib import Path

import matplotlib.pyplot as plt
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gan
from gan.config import read_config
from gan.data.datamodule import ImageDataModule
from gan.evaluation import Measurement
from gan.images import grid, write_png

PANELS = {
    "losses": ("loss/discriminator", "loss/generator"),
    "D(x) and D(G(z))": ("probability/real", "probability/fake", "probability/equilibrium"),
    "gradient norms": ("gradient_norm/discriminator", "gradient_norm/generator"),
    "FID on held-out images": ("metric/fid", "metric/fid_floor"),
}
POINTS = 400  # of a curve; longer ones are averaged to this many


def curves(run: Path, out: Path) -> None:
    """One panel per chart of TensorBoard's layout; FID in logarithmic scale."""
    events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
    figure, axes = plt.subplots(1, len(PANELS), figsize=(4.2 * len(PANELS), 3.2), layout="constrained")
    for axis, (title, tags) in zip(axes, PANELS.items(), strict=True):
        for tag in tags:
            scalars = events.Scalars(tag)
            width = -(-len(scalars) // POINTS)
            windows = [scalars[i : i + width] for i in range(0, len(scalars), width)]
            means = [sum(event.value for event in window) / len(window) for window in windows]
            axis.plot([window[-1].step for window in windows], means, label=tag.split("/")[1], linewidth=1)
        axis.set(title=title, xlabel="generator updates", yscale="log" if "FID" in title else "linear")
        axis.legend(fontsize=8)
    figure.savefig(out, dpi=80)


def main() -> None:
    """Print the report, write its pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="start of the pictures' names")
    parser.add_argument("--grids", type=int, nargs="*", default=[], help="steps whose grid is written")
    options = parser.parse_args()
    curves(options.run, options.out.with_name(f"{options.out.name}_curves.png"))
    data = ImageDataModule(**read_config(str(options.run / "config.yaml"))["data"])
    data.prepare_data()
    data.setup()
    measurement = Measurement(data.loaded, "report", 10000)
    files: dict[int, Path] = {}  # by step; of one step a snapshot and a checkpoint hold the same generator
    for file in [*(options.run / "checkpoints").glob("*.ckpt"), *(options.run / "checkpoints").glob("*.safetensors")]:
        files[int(re.fullmatch(r"\w+_step_(\d+)\.\w+", file.name)[1])] = file
    rows = [(step, files[step], measurement(gan.load(files[step]))) for step in sorted(files)]
    print("| step | FID | median confidence | unsure | rarest class |\n| --- | --- | --- | --- | --- |")
    for step, _, row in rows:
        print(
            f"| {step:,} | {row['fid']:.2f} | {row['median_confidence']:.3f} | {row['unsure_share']:.1%} "
            f"| {row['min_class_share']:.1%} ({row['class_share'].index(row['min_class_share'])}) |"
        )
    real_images = measurement.scorer.score(data.loaded.test.images)
    print(f"| real test images | | {real_images.median_confidence:.3f} | {real_images.unsure_share:.1%} | |")
    print(f"\nFloor: {measurement.floor:.2f}. Protocol {rows[-1][2]['protocol']}.\n")
    names = data.class_names
    print(f"| step | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}")
    for step, file, row in rows:
        print(f"| {step:,} | " + " | ".join(f"{share:.1%}" for share in row["class_share"]) + " |")
        if step in options.grids:
            write_png(grid(gan.load(file).sample(100)), options.out.with_name(f"{options.out.name}_step_{step}.png"))
    real = data.loaded.test.labels.bincount(minlength=len(names)).double() / len(data.loaded.test)
    print("| real test images | " + " | ".join(f"{share:.1%}" for share in real.tolist()) + " |")


if __name__ == "__main__":
    main()
