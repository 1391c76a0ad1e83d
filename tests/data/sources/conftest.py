"""What every test of a source starts with, and small files in MNIST's format."""

import gzip
import hashlib
import socket

import numpy as np
import pytest
import torchvision.datasets

from gan.base.notes import forget
from gan.data.files.idx import encode_idx
from gan.data.sources import fashion_mnist, kmnist, mnist
from gan.data.sources.idx_set import FILES


@pytest.fixture(autouse=True)
def fresh_notes():
    forget()


@pytest.fixture
def offline(monkeypatch):
    """Mirrors at a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for published in ("MNIST", "FashionMNIST", "KMNIST"):
        monkeypatch.setattr(getattr(torchvision.datasets, published), "mirrors", [f"http://127.0.0.1:{port}/"])


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with four small gzipped files, and data sets of 20 + 10 images, 5 held out."""
    counts = {"train": 20, "t10k": 10}
    for module in (fashion_mnist, kmnist, mnist):
        monkeypatch.setattr(module, "COUNTS", counts)
        monkeypatch.setattr(module, "HELD_OUT", 5)
    folder = tmp_path / "small"
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, count in counts.items():
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(encode_idx(images)))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(encode_idx(labels)))
    return folder


@pytest.fixture
def publish(small, monkeypatch):
    """Make the small files those whose md5s torchvision knows for the set of this name."""

    def known(published):
        files = [f"{name}.gz" for name in FILES]
        md5s = [hashlib.md5((small / name).read_bytes()).hexdigest() for name in files]
        of = getattr(torchvision.datasets, published)
        monkeypatch.setattr(of, "resources", list(zip(files, md5s, strict=True)))
        return small

    return known
