"""Samples of many runs side by side: the first images of each run's newest grid, all drawn from the same noise."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from gan.ablations.report.figures import STYLE, WIDTH, save
from gan.ablations.report.study import Group, Key
from gan.ablations.report.summary import number
from gan.base.errors import UserError
from gan.data.files.pictures import PictureError, decode_picture
from gan.runs.reader import Run

COLUMNS, BORDER = 10, 2  # of a grid that `gan fit` writes: images in a row, black pixels between them
SHOWN = (5, 2)  # images of each run: columns, rows
MOST_SEEDS = 5  # runs of an arm that are all shown; of more, the best, the median, the worst and two that failed
GAP = 6  # white pixels between runs


@dataclass(frozen=True)
class Cell:
    """A run's samples with the words above them."""

    title: str
    picture: Image.Image | None  # None for a run without a grid
    failed: bool


def sample_cells(group: Group) -> list[Cell]:
    """Return the runs of an arm that are shown: all if they are few, by seed."""
    ranked = [key for key, _ in group.ranked()]
    marks: dict[Key, str] = {}
    if len(ranked) > 2 or (ranked and len(group.runs) > MOST_SEEDS):
        for place, mark in ((0, "best"), (len(ranked) // 2, "median"), (-1, "worst")):
            marks.setdefault(ranked[place], mark)
    failed = [key for key, score in group.scores.items() if math.isinf(score)]
    shown: Sequence[Key] = list(group.runs) if len(group.runs) <= MOST_SEEDS else [*marks, *failed[:2]]
    return [_cell(group, key, marks.get(key)) for key in shown]


def _cell(group: Group, key: Key, mark: str | None) -> Cell:
    score, status = group.scores.get(key), group.status(key).split(" (")[0]
    failed = score is not None and math.isinf(score)
    what = number(score) if score is not None and not failed else status
    what = "counts as failed" if failed and status == "finished" else what
    return Cell(f"seed {key[0]}: {what}" + (f", {mark}" if mark else ""), _first_images(group.runs[key]), failed)


def _first_images(run: Run) -> Image.Image | None:
    """Return the upper left corner of the newest grid. None without a grid, or where it cannot be read."""
    file = run.newest_picture
    if file is None:
        return None
    try:
        picture = decode_picture(file.read_bytes()).convert("RGB")
        images = run.config["image_grid"]["num_images"]
        rows = -(-images // COLUMNS)
        wide, high = (picture.width - BORDER) // COLUMNS, (picture.height - BORDER) // rows
    except (PictureError, OSError, UserError, KeyError, TypeError, ZeroDivisionError):
        return None
    return picture.crop((0, 0, SHOWN[0] * wide + BORDER, min(SHOWN[1], rows) * high + BORDER))


def samples_figure(groups: Mapping[str, Group], out: Path) -> str | None:
    """Draw a row of runs for each arm as PDF and SVG, and return the SVG. None if no run has a grid."""
    cells = {name: sample_cells(group) for name, group in groups.items()}
    sizes = [cell.picture.size for row in cells.values() for cell in row if cell.picture]
    if not sizes:
        return None
    wide, high = max(size[0] for size in sizes), max(size[1] for size in sizes)
    columns, words = max(map(len, cells.values())), max(10, high // 5)  # pixels of the words above a run
    pitch = wide + GAP, high + words + GAP
    canvas = Image.new("RGB", (columns * pitch[0], len(cells) * (pitch[1] + words)), "white")
    scale = WIDTH / max(canvas.width, 3 * pitch[0])  # inches of a pixel
    points = min(7.0, 72 * scale * words * 0.75)
    with rc_context(STYLE):
        figure = Figure(figsize=(canvas.width * scale, canvas.height * scale))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        for row, (name, runs) in enumerate(cells.items()):
            top = row * (pitch[1] + words)
            axes.text(0, top + words * 0.8, name, fontsize=points * 1.1, fontweight="bold", va="baseline")
            for column, cell in enumerate(runs):
                left, below = column * pitch[0], top + 2 * words
                colour = "#D55E00" if cell.failed else "black"
                title = f"✕ {cell.title}" if cell.failed else cell.title
                axes.text(left, below - words * 0.25, title, fontsize=points, color=colour, va="baseline")
                if cell.picture:
                    canvas.paste(cell.picture, (left, below))
                else:
                    axes.text(left, below + high / 2, "no grid", fontsize=points, color="0.4")
                if cell.failed:
                    size = cell.picture.size if cell.picture else (wide, high)
                    box = (
                        (left, left + size[0], left + size[0], left, left),
                        (below, below, below + size[1], below + size[1], below),
                    )
                    axes.plot(*box, color=colour, linewidth=1.5)
        axes.imshow(np.asarray(canvas), interpolation="none", extent=(0, canvas.width, canvas.height, 0))
        axes.set(xlim=(0, canvas.width), ylim=(canvas.height, 0))
        save(figure, out)
    return out.with_suffix(".svg").read_text(encoding="utf-8")
