"""A data set: what `gan.data.dataset.Dataset` asks for."""

from pathlib import Path

import torch

from gan.base.streams import stream
from gan.data.dataset import LoadedData, Split

SIDE = 16


class Shapes:
    """Discs, squares and crosses of random size and place, white on black: drawn, so that no file is read.

    Args:
        count: training images; a tenth of it are held out, another tenth are test images.
    """

    name = "shapes"
    image_shape = (1, SIDE, SIDE)
    class_names = ("disc", "square", "cross")
    sources = ("auto",)
    splits = ("drawn",)

    def __init__(self, *, count: int = 3000) -> None:
        if count < 20:  # two held-out images
            raise ValueError(f"shapes: count must be at least 20, got {count}")
        self.counts = {"train": count, "held_out": count // 10, "test": count // 10}

    def prepare(self, root: Path, source: str) -> None:
        """Nothing is downloaded."""

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """The same images in every process: their noise is of a stream of their own."""
        parts = {part: draw(part, count) for part, count in self.counts.items()}
        return LoadedData(name=self.name, source=source, split=split, **parts)


def draw(part: str, count: int) -> Split:
    """`count` images (count, 1, 16, 16) and their classes in turn."""
    u = torch.rand((3, count, 1, 1), generator=stream(f"shapes {part}"))
    radius, top, left = 2 + 3 * u[0], 5 + 6 * u[1], 5 + 6 * u[2]  # pixels
    pixels = torch.arange(SIDE) + 0.5
    y, x = (pixels[:, None] - top).abs(), (pixels - left).abs()  # (count, 16, 1), (count, 1, 16)
    square = torch.maximum(x, y) < radius
    shapes = torch.stack([x.square() + y.square() < radius.square(), square, square & (torch.minimum(x, y) < 1)])
    labels = torch.arange(count) % len(shapes)
    images = shapes[labels, torch.arange(count)]  # (count, 16, 16)
    return Split(images[:, None].to(torch.uint8) * 255, labels)
