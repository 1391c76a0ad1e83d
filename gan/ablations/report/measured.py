"""The page of `gan evaluate --html`: tables, shares of classes, samples beside their nearest training images."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from gan.ablations.report.blocks import Block, Heading, Picture, Table, Text, page
from gan.ablations.report.figures import LOOKS, STYLE, WIDTH, save
from gan.base.images import grid
from gan.measure.measure import Sample
from gan.measure.measures.distances import nearest
from gan.runs.evaluate import Evaluated

SAMPLES, NEIGHBOURS, PAIRS = 100, 10, 16  # images that are shown
MOST_CLASSES = 40  # whose shares are drawn
QUERIES = 2000  # images whose distances are drawn
REAL, FAKE = {"color": "#000000"}, LOOKS[0]


def page_of(found: Sequence[Evaluated], tables: Callable[[Evaluated], Table], notes: Callable) -> str:
    """Return one page in HTML. `tables` and `notes` give the values and the lines that the terminal shows."""
    blocks: list[Block] = [Heading("Evaluation")]
    with TemporaryDirectory() as folder:
        for number, one in enumerate(found):
            out = Path(folder, str(number))
            blocks += [Heading(one.path), tables(one), *map(Text, notes(one)), *_pictures(one, out, f"p{number}")]
    return page(blocks)


def _pictures(one: Evaluated, out: Path, name: str) -> list[Block]:
    """Return what can be drawn of one generator."""
    real, fake, train = one.measurement.real, one.fake, one.measurement.train
    extractor = one.measurement.extractor
    pictures: list[Block] = []

    def add(kind: str, figure: Figure, caption: str) -> None:
        place = Path(f"{out}_{kind}")
        save(figure, place)
        svg = place.with_suffix(".svg").read_text(encoding="utf-8")
        pictures.append(Picture(f"{name}-{kind}", svg, caption))

    with rc_context(STYLE):
        add("samples", _images(grid(fake.images[:SAMPLES])), f"The first {min(SAMPLES, len(fake))} images.")
        if extractor and extractor.num_classes and extractor.num_classes <= MOST_CLASSES:
            names = one.class_names if len(one.class_names) == extractor.num_classes else None
            add("classes", _classes(real, fake, names), "Shares of the classes that the classifier names.")
        if extractor and train:
            distances, neighbours = nearest(fake.features[:QUERIES], train.features)
            of_real, _ = nearest(real.features[:QUERIES], train.features)
            caption = "Distances of fakes and of unseen real images from the nearest training image, in features."
            add("distances", _distances(distances[:, 0], of_real[:, 0]), caption + " Copies are far to the left.")
            some = torch.arange(min(NEIGHBOURS, len(neighbours)))
            shown = grid(_beside(fake.images[some], train.images[neighbours[some, 0]]), 2 * len(some))
            add("neighbours", _images(shown), "Fakes, each with its nearest training image at its right.")
            close = distances[:, 0].argsort(stable=True)[:PAIRS]
            shown = grid(_beside(fake.images[close], train.images[neighbours[close, 0]]), 2 * max(1, len(close) // 2))
            add("pairs", _images(shown), f"The {len(close)} closest of {len(distances):,} such pairs: copies, if any.")
    return pictures


def _beside(left: Tensor, right: Tensor) -> Tensor:
    """Return the images of both in turn."""
    return torch.stack([left, right], dim=1).flatten(0, 1)


def _images(picture: Tensor) -> Figure:
    """Return a figure of a uint8 picture (C, H, W)."""
    _, height, width = picture.shape
    figure = Figure(figsize=(WIDTH, WIDTH * height / width))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(picture.expand(3, -1, -1).permute(1, 2, 0).numpy(), interpolation="none")
    return figure


def _classes(real: Sample, fake: Sample, names: Sequence[str] | None) -> Figure:
    number = fake.logits.shape[1]
    figure = Figure(figsize=(WIDTH, 2.4), layout="constrained")
    axes = figure.subplots()
    for shift, sample, colour, label in ((-0.2, real, REAL["color"], "real"), (0.2, fake, FAKE["color"], "fake")):
        shares = sample.predicted.bincount(minlength=number).double() / len(sample)
        axes.bar(np.arange(number) + shift, 100 * shares.numpy(), 0.4, color=colour, label=label)
    axes.set_xticks(range(number), names or list(map(str, range(number))), rotation=90 if number > 10 else 0)
    axes.set(ylabel="share (%)")
    axes.legend(frameon=False)
    return figure


def _distances(fakes: Tensor, real: Tensor) -> Figure:
    figure = Figure(figsize=(WIDTH, 2.4), layout="constrained")
    axes = figure.subplots()
    bins = np.linspace(0, float(torch.cat([fakes, real]).quantile(0.99)) or 1.0, 50).tolist()
    for values, colour, line, label in (
        (real, REAL["color"], "-", "unseen real"),
        (fakes, FAKE["color"], "--", "fake"),
    ):
        axes.hist(values.numpy(), bins, histtype="step", density=True, color=colour, linestyle=line, label=label)
    axes.set(xlabel="distance from the nearest training image", ylabel="density")
    axes.legend(frameon=False)
    return figure
