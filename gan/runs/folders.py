"""Writes images as a folder of pictures, which the data set `folder` reads again, with the classes that it had."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from gan.base.images import write_png
from gan.data.dataset import DATASETS
from gan.data.sources.folder.pictures import PARTS
from gan.runs.reader import run_of

REFUSED = frozenset('\\/:*?"<>|')  # in names of files, by some system
MAX_NAME = 60  # letters, which have at most 240 bytes


def write_folder(images: Tensor, labels: Tensor | None, names: Sequence[str], folder: Path) -> None:
    """Write image i of (N, C, H, W) to i.png in a folder that is made; with labels (N,), in its class's sub-folder."""
    folder.mkdir(exist_ok=True)
    places = [folder] * len(images) if labels is None else [folder / names[label] for label in labels]
    for place in set(places):
        place.mkdir(exist_ok=True)
    for number, (image, place) in enumerate(zip(images, places, strict=True)):
        write_png(image, place / f"{number:06}.png")


def class_names(path: str | Path, num_classes: int) -> list[str]:
    """Return the names of the classes that a generator draws, as the run that it lies in recorded them.

    Where no such run says them, they are numbers, whose order is also that of the alphabet.
    """
    run = run_of(path)
    data = run.provenance[0].get("data") if run and run.provenance else None
    found: Any = None
    if isinstance(data, dict):
        known = DATASETS.get(str(data.get("name")))
        found = data.get("class_names") or getattr(known, "class_names", ())
    if isinstance(found, list | tuple) and len(found) == num_classes and all(isinstance(name, str) for name in found):
        return list(found)
    return [f"{label:0{len(str(num_classes - 1))}}" for label in range(num_classes)]


def folder_names(names: Sequence[str]) -> list[str]:
    """Return a folder's name for each class: its own, with _ in the place of letters that some system refuses.

    If two of them were one, or one were empty or a split's (train, test), each has the class's number before it.
    """
    safe = [
        "".join(letter if letter.isprintable() and letter not in REFUSED else "_" for letter in name) for name in names
    ]
    safe = [name.strip(" .")[:MAX_NAME].strip(" .") for name in safe]
    alike = {name.casefold() for name in safe}
    if len(alike) == len(safe) and not alike & {"", *PARTS}:
        return safe
    return [f"{label:0{len(str(len(safe) - 1))}}_{name}" for label, name in enumerate(safe)]
