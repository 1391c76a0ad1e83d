"""Letters in one safetensors file, so that 18,726 or 529,119 PNGs are decoded once; checked whenever it is read."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from gan.base.notes import say
from gan.data.sources.notmnist.letters import LETTERS, SIDE, Letters

VERSION = 1  # raise it when the same source would give other letters


def cached(path: Path, key: str, read: Callable[[], Letters]) -> Letters:
    """The letters in the cache `path` if it is of the source with this `key`, else what `read` reads, now cached.

    The file is written aside and then renamed: whatever interrupts it, there is a whole cache or none.
    """
    if path.is_file():
        letters = _load(path, key)
        if letters is not None:
            return letters
    letters = read()
    try:
        _save(path, key, letters)
    except (OSError, safetensors.SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        say(f"note: {path.parent}: no cache can be written ({reason}); the letters will be read anew each time")
    return letters


def _load(path: Path, key: str) -> Letters | None:
    """None, and a line about it, where the cache is damaged or not of this source."""
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata()
            if metadata["key"] != _full(key):
                say(f"note: {path}: its source has changed since it was written; it is written anew")
                return None
            images, labels = file.get_tensor("images"), file.get_tensor("labels")
        letters = Letters(images, labels, **json.loads(metadata["about"]))
        sound = (
            metadata["sha256"] == _sha256(letters)
            and images.dtype == labels.dtype == np.uint8
            and images.shape == (len(labels), SIDE, SIDE)
            and labels.shape == (len(labels),)
            and labels.max() < len(LETTERS)
        )
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        say(f"warning: {path}: damaged; the letters are read from their source and the cache is written anew")
        return None
    return letters


def _save(path: Path, key: str, letters: Letters) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"key": _full(key), "about": json.dumps(letters.about), "sha256": _sha256(letters)}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-", ignore_cleanup_errors=True) as stage:
        part = Path(stage) / path.name
        safetensors.numpy.save_file({"images": letters.images, "labels": letters.labels}, part, metadata)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(part, path)


def _full(key: str) -> str:
    return f"{VERSION}:{key}"


def _sha256(letters: Letters) -> str:
    digest = hashlib.sha256(json.dumps(letters.about).encode())
    for array in (letters.images, letters.labels):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
