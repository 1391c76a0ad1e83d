"""Print what known images score: the floors (real against real) and a ladder of known damage, as markdown.

python scripts/metric_floors.py --data-root DIR     # about a minute on two free cores; writes nothing
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from gan.data.mnist import MNIST
from gan.metrics.features import load_classifier
from gan.metrics.scorer import ImageScorer, subset


def noisy(images: Tensor, sigma: float) -> Tensor:
    """Gaussian noise of `sigma` grey levels of 255, rounded and clipped."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)) * sigma
    return (images.float() + noise).round().clamp(0, 255).to(torch.uint8)


def shifted(images: Tensor, pixels: int) -> Tensor:
    """To the right, with black at the left."""
    moved = torch.zeros_like(images)
    moved[..., pixels:] = images[..., :-pixels]
    return moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    args = parser.parse_args()
    classifier = load_classifier()
    full = MNIST().load(args.data_root, "idx", "full")
    text = MNIST().load(args.data_root, "idx", "text")
    embedded = MNIST().load(args.data_root, "embedded", "text")

    print("| source | real images | floor images | floor | 10,000 images of uniform noise | black |")
    print("| --- | --- | --- | --- | --- | --- |")
    noise = torch.randint(0, 256, (10_000, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for loaded, name in [(full, "test"), (text, "held_out"), (embedded, "test"), (embedded, "held_out")]:
        real, train = getattr(loaded, name).images, loaded.train.images
        scorer = ImageScorer(classifier, real, train)
        used = f"{min(len(train), 10_000):,} of {len(train):,} training images"
        scores = [scorer.score(fakes).fid for fakes in (noise, torch.zeros_like(noise))]
        print(f"| {loaded.source} | {name}, {len(real):,} | {used} | {scorer.floor:.3f} |", end="")
        print("".join(f" {score:.0f} |" for score in scores))

    scorer = ImageScorer(classifier, full.test.images, full.train.images)
    images, labels = subset(full.train.images, 10_000), subset(full.train.labels, 10_000)
    half = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))
    ladder = {
        "nothing (the floor)": images,
        **{f"Gaussian noise, sigma {sigma}": noisy(images, sigma) for sigma in (8, 16, 32, 64)},
        **{f"shifted by {pixels} px": shifted(images, pixels) for pixels in (1, 2)},
        "class 2 missing": images[labels != 2],
        "1,000 images, ten times each": images[::10].repeat(10, 1, 1, 1),
        "half of them noise": torch.cat([images[half[:5_000]], noise[:5_000]]),
    }
    print("\n| 10,000 training images, with | distance from the 10,000 test images | smallest class | confidence |")
    print("| --- | --- | --- | --- |")
    for name, fakes in ladder.items():
        scores = scorer.score(fakes)
        print(f"| {name} | {scores.fid:.2f} | {scores.min_class_share:.3f} | {scores.median_confidence:.4f} |")


if __name__ == "__main__":
    main()
