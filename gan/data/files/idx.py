"""Reader of idx files, the format of MNIST and its kin. Headers are checked, and nothing inflates beyond a bound.

An idx file is two zero bytes, a type byte (0x08: unsigned byte), the number of dimensions, one big-endian uint32 per
dimension, then the values in C order (http://yann.lecun.com/exdb/mnist/).
"""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from gan.base.errors import UserError

UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 4  # labels have 1, grey images 3, colour images 4
MAX_BYTES = 2**30
GZIP_MAGIC = b"\x1f\x8b"

Bytes = NDArray[np.uint8]


def read_idx(path: str | Path, max_bytes: int = MAX_BYTES) -> Bytes:
    """The array in an idx file, raw or gzipped (with the suffix `.gz`). Raises UserError for anything else.

    At most `max_bytes` of data are read or inflated, whatever the file's size is and whatever its header says.
    """
    path = Path(path)
    try:
        with _open(path) as stream:
            shape = _read_header(stream, path)
            size = math.prod(shape)
            if size > max_bytes:
                raise UserError(
                    f"{path}: its header announces {size:,} bytes of data ({_by(shape)}), at most {max_bytes:,} "
                    "are allowed here; is this the right file?"
                )
            # One byte more than announced shows what trails, and makes gzip verify its checksum.
            payload = stream.read(size + 1)
    except EOFError:
        raise UserError(f"{path}: truncated: its gzip data end too early; fetch the file again") from None
    except gzip.BadGzipFile as error:
        if path.open("rb").read(2) != GZIP_MAGIC:
            raise UserError(f"{path}: not gzip data though its name ends in .gz; fetch it again or rename it") from None
        raise UserError(f"{path}: damaged gzip data ({error}); fetch the file again") from None
    except zlib.error as error:
        raise UserError(f"{path}: damaged gzip data ({error}); fetch the file again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check the path and its rights") from None

    if len(payload) < size:
        raise UserError(
            f"{path}: truncated: its header announces {size:,} bytes of data ({_by(shape)}), the file has "
            f"{len(payload):,}; fetch the file again"
        )
    if len(payload) > size:
        raise UserError(
            f"{path}: bytes trail after the {size:,} that its header announces ({_by(shape)}); fetch the file again"
        )
    return np.frombuffer(payload, dtype=np.uint8).reshape(shape).copy()  # copied: frombuffer's is read-only


def read_images_and_labels(
    images_path: str | Path,
    labels_path: str | Path,
    *,
    image_shape: tuple[int, int],
    num_classes: int,
    count: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> tuple[Bytes, Bytes]:
    """Images (N, H, W) and their labels (N,), checked against each other and against what is expected."""
    labels, images = read_idx(labels_path, max_bytes), read_idx(images_path, max_bytes)
    if images.ndim == 1 and labels.ndim == 3:
        raise UserError(f"{images_path}: holds labels, and {labels_path} holds images: swap the two files")
    if images.ndim != 3:
        raise UserError(f"{images_path}: has {images.ndim} dimensions ({_by(images.shape)}), images have 3 (N x H x W)")
    if labels.ndim != 1:
        raise UserError(f"{labels_path}: has {labels.ndim} dimensions ({_by(labels.shape)}), labels have 1 (N)")
    if images.shape[1:] != image_shape:
        raise UserError(
            f"{images_path}: its images are {_by(images.shape[1:])}, {_by(image_shape)} are needed; "
            "is this another data set's file?"
        )
    if len(images) != len(labels):
        raise UserError(
            f"{images_path}: {len(images):,} images, but {len(labels):,} labels in {labels_path}; "
            "the two must come from the same set: fetch both again"
        )
    if count is not None and len(images) != count:
        raise UserError(
            f"{images_path}: {len(images):,} images, exactly {count:,} are expected; "
            "is it another part of the set, or cut short? Fetch the original file"
        )
    if labels.max() >= num_classes:
        where = int((labels >= num_classes).argmax())
        raise UserError(
            f"{labels_path}: label {labels[where]} at position {where:,}, allowed are 0 to {num_classes - 1}; "
            "fetch the file again"
        )
    return images, labels


def encode_idx(array: Bytes) -> bytes:
    """The raw idx file that holds this array; `read_idx` accepts exactly one file for each array."""
    return struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape) + array.tobytes()


def idx_sha256(array: Bytes) -> str:
    """sha256 of the uncompressed idx file. It does not depend on whether and how the file is gzipped."""
    return hashlib.sha256(encode_idx(array)).hexdigest()


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb"))


def _read_header(stream: IO[bytes], path: Path) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise UserError(f"{path}: {'empty' if not magic else 'truncated in its header'}; fetch the file again")
    if magic[:2] == GZIP_MAGIC:
        raise UserError(f"{path}: gzip data without the suffix; rename it to {path.name}.gz")
    if magic[:2] != b"\0\0":
        raise UserError(
            f"{path}: not an idx file: it begins with 0x{magic.hex()}, an idx file with 0x0000; fetch it again"
        )
    kind, ndim = magic[2], magic[3]
    if kind != UNSIGNED_BYTE:
        raise UserError(
            f"{path}: holds idx type 0x{kind:02x}, only unsigned bytes (0x08) are read; convert it to uint8"
        )
    if not 1 <= ndim <= MAX_DIMENSIONS:
        raise UserError(f"{path}: {ndim} dimensions in its header, 1 to {MAX_DIMENSIONS} are allowed; fetch it again")
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise UserError(f"{path}: truncated in its header; fetch the file again")
    shape = struct.unpack(f">{ndim}I", sizes)
    if 0 in shape:
        raise UserError(f"{path}: holds nothing: its header says {_by(shape)}; fetch the file again")
    return shape


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
