"""Any bytes in the place of idx files, archives and pictures are read, or refused in one line."""

import gzip
import io
import shutil

import numpy as np
import pytest
from fuzz_support import damaged, fuzz, lawful, long_too
from hypothesis import strategies as st
from letters_support import contents, pictures, write_archive
from PIL import Image

from gan.data.files.idx import encode_idx, read_idx, read_images_and_labels
from gan.data.files.pictures import FORMATS, PictureError, decode_picture
from gan.data.sources.notmnist.notmnist import NotMNIST

IMAGES = np.arange(5 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(5, 28, 28)
LABELS = encode_idx(np.arange(5, dtype=np.uint8))
ARCHIVE = "notMNIST_small.tar.gz"


@long_too
def test_idx_files(seconds, watch, tmp_path):
    raw = encode_idx(IMAGES)
    (tmp_path / "labels").write_bytes(LABELS)

    def check(case):
        name, content = case
        (tmp_path / name).write_bytes(content)
        with lawful(watch, tmp_path):
            read_idx(tmp_path / name)
        with lawful(watch, tmp_path):
            read_images_and_labels(tmp_path / name, tmp_path / "labels", image_shape=(28, 28), num_classes=10)

    files = st.binary(max_size=40) | damaged(raw, gzip.compress(raw), LABELS)
    fuzz(check, st.tuples(st.sampled_from(("images", "images.gz")), files), 60, seconds)


@long_too
def test_archives(seconds, watch, tmp_path):
    packed = write_archive(tmp_path / ARCHIVE, contents(*pictures(each=2))).read_bytes()
    inside = damaged(gzip.decompress(packed)).map(lambda tar: gzip.compress(tar, 1))

    def check(content):
        shutil.rmtree(tmp_path / "root", ignore_errors=True)
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / ARCHIVE).write_bytes(content)
        with lawful(watch, tmp_path / "root"):
            NotMNIST().prepare(tmp_path / "root", "archive")

    fuzz(check, damaged(packed) | inside, 30, seconds)


def picture(name):
    stream = io.BytesIO()
    Image.fromarray(IMAGES[0]).convert("RGB").save(stream, name)
    return stream.getvalue()


@long_too
@pytest.mark.filterwarnings("ignore")  # Pillow's, on damaged metadata
def test_pictures(seconds, watch, tmp_path):
    def check(content):
        with lawful(watch, tmp_path, PictureError):
            decode_picture(content)

    fuzz(check, damaged(*map(picture, FORMATS)) | st.binary(max_size=60), 60, seconds)
