"""Print what known images score: the floors (real against real) and a ladder of known damage, as markdown.

python scripts/metric_floors.py --data-root DIR     # MNIST: about a minute on two free cores; writes nothing
python scripts/metric_floors.py --data glyphs       # every data set that has a classifier of its own
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan.base.errors import UserError
from gan.data.dataset import DATASETS, LoadedData
from gan.data.sources.mnist import MNIST
from gan.measure.extractors.classifier import EVALUATORS
from gan.measure.given import Given
from gan.measure.measurement import Measurement
from gan.measure.shares import subset


def noisy(images: Tensor, sigma: float) -> Tensor:
    """Gaussian noise of `sigma` grey levels of 255, rounded and clipped."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)) * sigma
    return (images.float() + noise).round().clamp(0, 255).to(torch.uint8)


def shifted(images: Tensor, pixels: int) -> Tensor:
    """To the right, with black at the left."""
    moved = torch.zeros_like(images)
    moved[..., pixels:] = images[..., :-pixels]
    return moved


def real_sets(data: str, root: Path) -> list[tuple[LoadedData, str]]:
    """Data and the role whose real images fakes are measured on, in the table's order; the ladder takes the first."""
    if data == "mnist":
        full, text = (MNIST().load(root, "idx", split) for split in ("full", "text"))
        embedded = MNIST().load(root, "embedded", "text")
        return [(full, "report"), (text, "selection"), (embedded, "report"), (embedded, "selection")]
    dataset = DATASETS[data]()
    loaded = dataset.load(root, next(name for name in dataset.sources if name != "auto"), dataset.splits[0])
    return [(loaded, "report"), (loaded, "selection")]


def scores(data: LoadedData, role: str, images: Tensor) -> dict[str, Any]:
    """The row of the Fréchet distance of images."""
    measurement = Measurement(data, role, len(images), trained_on=data.train, measures={"frechet": {}})
    return measurement(Given(images))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=sorted(EVALUATORS), default="mnist")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder of its files; glyphs needs none")
    args = parser.parse_args()
    try:
        sets = real_sets(args.data, args.data_root)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None

    print("| source | real images | floor images | floor | 10,000 images of uniform noise | black |")
    print("| --- | --- | --- | --- | --- | --- |")
    noise = torch.randint(0, 256, (10_000, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for loaded, role in sets:
        train = loaded.train.images
        used = f"{min(len(train), 10_000):,} of {len(train):,} training images"
        rows = [scores(loaded, role, fakes) for fakes in (noise, torch.zeros_like(noise))]
        name = rows[0]["split"].replace("-", "_")
        print(f"| {loaded.source} | {name}, {rows[0]['num_real']:,} | {used} | {rows[0]['fid_floor']:.3f} |", end="")
        print("".join(f" {row['fid']:.0f} |" for row in rows))

    loaded, _ = sets[0]
    images, labels = subset(loaded.train.images, 10_000), subset(loaded.train.labels, 10_000)
    count = len(images)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    ladder = {
        "nothing (the floor)": images,
        **{f"Gaussian noise, sigma {sigma}": noisy(images, sigma) for sigma in (8, 16, 32, 64)},
        **{f"shifted by {pixels} px": shifted(images, pixels) for pixels in (1, 2)},
        f"class {DATASETS[args.data].class_names[2]} missing": images[labels != 2],
        f"{count // 10:,} images, ten times each": images[order[: count // 10]].repeat(10, 1, 1, 1),
        "half of them noise": torch.cat([images[order[: count // 2]], noise[: count // 2]]),
    }
    print(f"\n| {count:,} training images, with | distance from the {len(loaded.test):,} test images ", end="")
    print("| smallest class | confidence |")
    print("| --- | --- | --- | --- |")
    for name, fakes in ladder.items():
        row = scores(loaded, "report", fakes)
        print(f"| {name} | {row['fid']:.2f} | {row['min_class_share']:.3f} | {row['median_confidence']:.4f} |")


if __name__ == "__main__":
    main()
