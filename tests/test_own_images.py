"""docs/own_images.md: its commands, as they stand there, on drawn pictures in three folders."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from run_support import every_row, gan

from gan.runs.reader import Run

PAGE = Path(__file__).parents[1] / "docs" / "own_images.md"
FEW = {
    "fit": (
        *("--trainer.max_steps=12", "--evaluation.every_n_steps=6", "--evaluation.num_samples=60"),
        "--model.recipe.batch_size=16",
    ),
    "evaluate": ("--num=60",),
    "evaluator": ("--epochs=6",),
    "export": ("--no-onnx",),
}


def drawn(folder: Path, classes: tuple[str, ...], number: int, size: int, mode: str, seed: int) -> None:
    """Discs, squares and triangles of random place, size and colour."""
    random = np.random.default_rng(seed)
    for index in range(number):
        name = classes[index % len(classes)]
        picture = Image.new(mode, (size, size))
        radius = random.uniform(0.15, 0.3) * size
        x, y = random.uniform(radius, size - radius, 2)
        colour = tuple(random.integers(120, 256, 3).tolist()) if mode == "RGB" else int(random.integers(150, 256))
        draw, box = ImageDraw.Draw(picture), (x - radius, y - radius, x + radius, y + radius)
        if name == "square":
            draw.rectangle(box, fill=colour)
        elif name == "triangle":
            draw.regular_polygon((x, y, radius), 3, fill=colour)
        else:
            draw.ellipse(box, fill=colour)
        place = folder / name if len(classes) > 1 else folder
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{index:04}.png")


SETS = {
    "Labelled pictures in colour": ("shapes", ("disc", "square", "triangle"), 500, 32, "RGB"),
    "Pictures without labels": ("scenes", ("disc",), 200, 64, "RGB"),
    "Grey pictures": ("marks", ("disc", "square", "triangle"), 300, 28, "L"),
}


def commands(title: str) -> list[list[str]]:
    """The words of each command below a title of the page."""
    part = PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return [shlex.split(line) for line in re.findall(r"^    gan (.*)$", part, re.MULTILINE)]


@pytest.mark.slow
@pytest.mark.parametrize("title", SETS)
def test_the_commands_of_the_page_work(title, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name, classes, number, size, mode = SETS[title]
    drawn(tmp_path / name, classes, number, size, mode, seed=0)
    drawn(tmp_path / f"{name}_test", ("disc",), 60, size, mode, seed=1)
    found = commands(title)
    assert {"fit", "evaluate", "export"} <= {words[0] for words in found}
    for words in found:
        assert gan(*words, *FEW.get(words[0], ())) == 0, (words, capsys.readouterr().err)
    run = Run(tmp_path / "runs" / name)
    labelled = len(classes) > 1
    assert {row["metric"] for row in every_row(run.directory)} == (
        {"frechet", "classes", "variety"} if labelled else {"patches"}
    )
    assert len(run.saved("best")) == 1
    exported = json.loads((tmp_path / f"{name}_gan" / "config.json").read_text())
    assert exported["step"] == next(iter(run.saved("best")))
    if labelled and mode == "RGB":
        assert len(list((tmp_path / "shapes_samples").rglob("*.png"))) == 64
        assert "nearest training image" in (tmp_path / "shapes.html").read_text()
