"""Every broken idx file gets one line that names the file; none is inflated beyond its bound."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from gan.base.errors import UserError
from gan.data.files.idx import encode_idx, idx_sha256, read_idx, read_images_and_labels

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10
RAW = encode_idx(IMAGES)


def refused(path, content, message, max_bytes=2**20):
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_idx(path, max_bytes)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))


def header(*shape, kind=0x08, ndim=None):
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape) if ndim is None else ndim, *shape)


@pytest.mark.parametrize("array", [IMAGES, LABELS])
def test_what_is_written_is_read(tmp_path, array):
    (tmp_path / "a").write_bytes(encode_idx(array))
    (tmp_path / "a.gz").write_bytes(gzip.compress(encode_idx(array)))
    for path in (tmp_path / "a", tmp_path / "a.gz"):
        read = read_idx(path)
        assert np.array_equal(read, array)
        assert read.dtype == np.uint8
        assert read.flags.writeable
        assert idx_sha256(read) == idx_sha256(array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (RAW[:2], "truncated in its header"),
        (RAW[:10], "truncated in its header"),
        (RAW[:-1], "truncated: its header announces 15,680 bytes"),
        (RAW[:16], "the file has 0"),
        (RAW + b"\0", "bytes trail after the 15,680"),
        (b"PNG!" + RAW[4:], "not an idx file: it begins with 0x504e4721"),
        (header(5, kind=0x0D) + bytes(20), "holds idx type 0x0d"),
        (header(kind=0x08), "0 dimensions"),
        (header(*[1] * 5) + b"\0", "5 dimensions"),
        (header(3, 0, 28), "holds nothing"),
        (header(2**32 - 1, 2**32 - 1, 2**32 - 1), r"at most 1,048,576 are allowed"),
    ],
)
def test_broken_files_raw_and_gzipped(tmp_path, content, message):
    refused(tmp_path / "raw", content, message)
    refused(tmp_path / "zipped.gz", gzip.compress(content), message)


def test_broken_gzip(tmp_path):
    whole = gzip.compress(RAW)
    flipped = bytearray(whole)
    flipped[-6] ^= 1  # in the checksum
    middle = bytearray(whole)
    middle[len(middle) // 2] ^= 0xFF
    refused(tmp_path / "cut.gz", whole[: len(whole) // 2], "truncated: its gzip data end too early")
    refused(tmp_path / "no_trailer.gz", whole[:-8], "truncated: its gzip data end too early")
    refused(tmp_path / "checksum.gz", bytes(flipped), "damaged gzip data")
    refused(tmp_path / "middle.gz", bytes(middle), "damaged gzip data|truncated")
    refused(tmp_path / "trailing.gz", whole + b"more", "damaged gzip data")
    refused(tmp_path / "raw.gz", RAW, "not gzip data though its name ends in .gz")
    refused(tmp_path / "empty.gz", b"", "empty")
    refused(tmp_path / "unmarked", whole, r"rename it to unmarked\.gz")


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path, tmp_path / "absent", tmp_path / "absent.gz"):
        with pytest.raises(UserError, match="cannot be read"):
            read_idx(path)


@pytest.mark.parametrize("shape", [(2**20,), (2**28,)], ids=["lying header", "honest header"])
def test_a_gzip_bomb_is_never_inflated(tmp_path, shape):
    """64 MB of zeros in 64 kB, behind a header that says 1 MB (allowed) or 256 MB (not allowed)."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(header(*shape) + bytes(2**26)))
    tracemalloc.start()
    with pytest.raises(UserError, match=r"bytes trail|are allowed here"):
        read_idx(path, max_bytes=2**20)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 2**20


def pair(tmp_path, images=IMAGES, labels=LABELS, **expected):
    (tmp_path / "images").write_bytes(encode_idx(images))
    (tmp_path / "labels").write_bytes(encode_idx(labels))
    expected = {"image_shape": (28, 28), "num_classes": 10, **expected}
    return read_images_and_labels(tmp_path / "images", tmp_path / "labels", **expected)


def test_a_sound_pair(tmp_path):
    images, labels = pair(tmp_path, count=20)
    assert np.array_equal(images, IMAGES)
    assert np.array_equal(labels, LABELS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": LABELS, "labels": IMAGES}, "swap the two files"),
        ({"images": LABELS}, "images have 3"),
        ({"labels": IMAGES}, "labels have 1"),
        ({"images": IMAGES[:, :27]}, "its images are 27 x 28, 28 x 28 are needed"),
        ({"labels": LABELS[:19]}, "20 images, but 19 labels"),
        ({"labels": LABELS + 1}, "label 10 at position 9, allowed are 0 to 9"),
        ({"count": 60_000}, "20 images, exactly 60,000 are expected"),
        ({"max_bytes": 15_679}, "at most 15,679 are allowed"),
    ],
)
def test_pairs_that_do_not_fit(tmp_path, change, message):
    with pytest.raises(UserError, match=message) as caught:
        pair(tmp_path, **change)
    assert "\n" not in str(caught.value)
