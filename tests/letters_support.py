"""Small sets of letters: their pictures, and archives, folders and idx files that hold them."""

import io
import tarfile

import numpy as np
from PIL import Image

LETTERS = "ABCDEFGHIJ"


def png(image):
    """A picture (H, W) or (H, W, C) as a PNG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def pictures(each=12, seed=0):
    """Images (N, 28, 28) and labels (N,) of noise, `each` of every letter; none is inverted."""
    images = np.random.default_rng(seed).integers(0, 256, (10 * each, 28, 28), dtype=np.uint8)
    return images, np.repeat(np.arange(10, dtype=np.uint8), each)


def contents(images, labels, top="notMNIST_small"):
    """Name -> PNG, as in notMNIST's archives."""
    return {
        f"{top}/{LETTERS[label]}/{i:04}==.png": png(image)
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    }


def member(name, size=0, **attributes):
    """A member's header."""
    info = tarfile.TarInfo(name)
    info.size = size
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def write_archive(path, files, extra=()):
    """A .tar.gz of name -> content, after `extra` members (header, content)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for info, content in extra:
            tar.addfile(info, io.BytesIO(content))
        for name, content in files.items():
            tar.addfile(member(name, len(content)), io.BytesIO(content))
    return path


def write_folder(root, files):
    """The same files, unpacked."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
