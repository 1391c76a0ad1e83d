"""Parts, repetitions and polarity of letters: all three depend on the pixels of an image alone."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan.data.files.idx import Bytes
from gan.data.sources.notmnist.letters import Letters

PARTS = ("train", "held_out", "test")
BRIGHT = 127  # pixels above it are bright
DARK_SHARE = (0.05, 0.5)  # of an inverted letter's pixels, its ink
CHUNK = 2**14  # images looked at together


@dataclass(frozen=True)
class Arranged:
    """Images (N, 28, 28) and labels (N,), part by part; `counts` says how many each part has."""

    images: Bytes
    labels: Bytes
    counts: dict[str, int]
    inverted: int  # of those read, whether or not they were made bright on dark
    repeated: int  # images that repeat another one
    repeated_otherwise: int  # of these, the ones with another label than the first of their kind


def arrange(letters: Letters, *, normalise: bool, unique: bool, inverted_share: float = 0.0) -> Arranged:
    """Sort letters into parts, in an order that depends on their pixels and labels only.

    The first 8 bytes of an image's digest, modulo 10, decide: 0 is test, 1 is held out, the rest is train. An image and
    its negative have one digest (the lesser of the two), so that neither copies nor negatives are in two parts,
    whatever is done about polarity. Within a part the order is that of the digests, then of the labels: the same
    whether the letters came from an archive or a folder, and every stretch of it has its share of every letter.

    Args:
        letters: what was read.
        normalise: make inverted letters bright on dark.
        unique: keep only the first of those with the same pixels, that with the lowest label.
        inverted_share: which share of them, at random by the second 8 bytes of the digest, is then dark on bright.
    """
    inverted = is_inverted(letters.images)
    own, negative = _digests(letters.images)  # (N, 4) each
    lesser = np.where(_less(own, negative)[:, None], own, negative)
    final = np.where(inverted[:, None], negative, own) if normalise else own
    bucket = lesser[:, 0] % 10
    part = np.select([bucket == 0, bucket == 1], [2, 1], 0)
    order = np.lexsort((letters.labels, *final.T[::-1], *lesser.T[::-1], part))  # the last key weighs most

    ordered, labels = final[order], letters.labels[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(1)
    label_of_first = labels[first][np.cumsum(first) - 1]
    if unique:
        order = order[first]
    images = letters.images[order]  # copied
    dark = inverted[order]  # dark on bright
    wanted = lesser[order, 1] < inverted_share * 2.0**64
    turned = np.where(wanted, ~dark, dark & normalise)
    images[turned] = 255 - images[turned]
    counts = np.bincount(part[order], minlength=len(PARTS)).tolist()
    return Arranged(
        images,
        letters.labels[order],
        dict(zip(PARTS, counts, strict=True)),
        inverted=int(inverted.sum()),
        repeated=int((~first).sum()),
        repeated_otherwise=int((labels != label_of_first).sum()),
    )


def is_inverted(images: Bytes) -> NDArray[np.bool_]:
    """Which images (N, H, W) are dark on bright: their whole border is bright, 5 to 50 % of their pixels are dark.

    notMNIST's letters are cropped to their frame and bright, so that the border of a bold one is mostly bright, too: on
    a random sample of 10,000, 1,978 have a border whose mean is above 127, and nearly all of these are ordinary. The
    rule finds 11 (0.11 %): ten letters printed dark, and a row of dots. By eye it misses six (letters on a tile whose
    corners are dark). Blank images, 146 of which are all but white, are sans-serif Is, which fill their frame.
    """
    inverted = np.zeros(len(images), dtype=bool)
    for start in range(0, len(images), CHUNK):
        dark = images[start : start + CHUNK] <= BRIGHT
        framed = ~(dark[:, [0, -1]].any((1, 2)) | dark[:, :, [0, -1]].any((1, 2)))
        share = dark.mean((1, 2))
        inverted[start : start + CHUNK] = framed & (share >= DARK_SHARE[0]) & (share <= DARK_SHARE[1])
    return inverted


def _digests(images: Bytes) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """sha256 of each image and of its negative, as four big-endian numbers each: two arrays (N, 4)."""
    own, negative = bytearray(), bytearray()
    for image in images:
        own += hashlib.sha256(image.tobytes()).digest()
        negative += hashlib.sha256((255 - image).tobytes()).digest()
    return _numbers(own), _numbers(negative)


def _numbers(digests: bytearray) -> NDArray[np.uint64]:
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 4)


def _less(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Row by row, in the order of the bytes."""
    column = (a != b).argmax(1)  # the first that differs
    rows = np.arange(len(a))
    return a[rows, column] < b[rows, column]
