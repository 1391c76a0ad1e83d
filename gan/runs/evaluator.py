"""Trains, checks and stores the classifier that measures a data set of one's own."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

import gan
from gan.base.disk import replacing, writing
from gan.base.errors import UserError
from gan.base.notes import say
from gan.base.paths import absolute
from gan.data.datamodule import ImageDataModule, evaluator_file
from gan.measure.extractors.classifier import MAX_CLASSES, SIDES, ImageClassifier, classifier, readable
from gan.measure.extractors.training import AUGMENTATION, Schedule, accuracy, train

VERSION = 1  # of what is trained; raise it with another network or another training
GOOD = 0.9  # accuracy on test images below which a line warns


def make_evaluator(
    data: Mapping[str, Any],
    out: str | Path | None = None,
    *,
    epochs: int | None = None,
    augmentation: float = AUGMENTATION,
    seed: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Path, float]:
    """Train a classifier on the training images of a data set, and return its file and its accuracy on test images.

    Args:
        data: arguments of `ImageDataModule`.
        out: the file; by default one in the root of the data, where training and `gan evaluate` find it.
        epochs: passes over the training images; by default 30, and as many as make 1,500 updates of a small set.
        augmentation: strength of the random maps of its training images; 0 for none.
        seed: of its weights, order and augmentation.
        tell: called with a line after each epoch.

    Raises UserError for images without labels, or of another shape than squares of 28 to 64 pixels, grey or RGB.
    """
    module = ImageDataModule(**data)
    module.prepare_data()
    module.setup()
    loaded, names = module.loaded, module.class_names
    if not 2 <= len(names) <= MAX_CLASSES:
        raise UserError(
            f"data set {loaded.name}: {len(names)} classes; a classifier needs 2 to {MAX_CLASSES}. Without classes "
            "images are measured by patches, which needs no network"
        )
    if not readable(module.image_shape):
        shape = " x ".join(map(str, module.image_shape))
        raise UserError(
            f"data set {loaded.name}: images of {shape}; the classifier reads grey or RGB squares of {SIDES[0]} to "
            f"{SIDES[1]} pixels: give another --data.size"
        )
    if missing := [name for label, name in enumerate(names) if not (loaded.train.labels == label).any()]:
        raise UserError(f"data set {loaded.name}: no training images of {', '.join(missing[:8])}; add some")
    path = evaluator_file(module.root, loaded.name, module.image_shape) if out is None else absolute(out, "--out")
    if not path.parent.is_dir():
        raise UserError(f"{path}: cannot write (there is no directory {path.parent}); give --out FILE")
    schedule = Schedule.of(len(loaded.train), epochs)
    network = train(loaded.train, len(names), schedule, augmentation, seed, tell)
    found = {part: accuracy(network, split) for part, split in (("held_out", loaded.held_out), ("test", loaded.test))}
    header = {
        "name": loaded.name,
        "version": VERSION,
        "image_shape": list(module.image_shape),
        "class_names": list(names),
        "held_out_accuracy": found["held_out"],
        "test_accuracy": found["test"],
        "test_images": len(loaded.test),
        "data": {"source": loaded.source, "split": loaded.split, "sha256": loaded.sha256, "train": loaded.train.sha256},
        "training": {"batch": schedule.batch, "epochs": schedule.epochs, "augmentation": augmentation, "seed": seed},
        "versions": {"gan": gan.__version__, "torch": torch.__version__},
    }
    with writing(path), replacing(path) as part:
        part.write_bytes(_file(network, header))
    classifier(file=str(path))  # read back
    if found["test"] < GOOD:
        say(
            f"warning: the classifier names {found['test']:.1%} of {len(loaded.test):,} test images rightly: distances "
            "in its features say little of what it confuses"
        )
    return path, found["test"]


def _file(network: ImageClassifier, header: Mapping[str, Any]) -> bytes:
    """Return a safetensors file whose metadata hold the header."""
    return safetensors.torch.save(network.state_dict(), {"evaluator": json.dumps(header, sort_keys=True)})
