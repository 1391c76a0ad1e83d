"""Fashion-MNIST: where its files are looked for, what is known of them, and that it is not taken for MNIST."""

import functools
import gzip
import hashlib
import http.server
import json
import shutil
import socket
import threading

import numpy as np
import pytest
import torch
from run_support import QUIET, SMALL, TINY, error_line, gan
from torchvision.datasets import FashionMNIST as Published

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.data.files import download
from gan.data.files.idx import encode_idx, idx_sha256, read_idx
from gan.data.sources import fashion_mnist, mnist
from gan.data.sources.fashion_mnist import FashionMNIST
from gan.data.sources.idx_set import FILES
from gan.data.sources.mnist import MNIST


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """The mirror is a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setattr(Published, "mirrors", [f"http://127.0.0.1:{port}/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with four small gzipped files, and a data set of 20 + 10 images, 5 held out."""
    for module in (fashion_mnist, mnist):
        monkeypatch.setattr(module, "COUNTS", {"train": 20, "t10k": 10})
        monkeypatch.setattr(module, "HELD_OUT", 5)
    folder = tmp_path / "small"
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, count in fashion_mnist.COUNTS.items():
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (9 - np.arange(count, dtype=np.uint8)) % 10
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(encode_idx(images)))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(encode_idx(labels)))
    return folder


@pytest.fixture
def published(small, monkeypatch):
    """The small files are those whose md5s torchvision knows."""
    files = [f"{name}.gz" for name in FILES]
    md5s = [hashlib.md5((small / name).read_bytes()).hexdigest() for name in files]
    monkeypatch.setattr(Published, "resources", list(zip(files, md5s, strict=True)))
    return small


def unzip(folder):
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


def get(root, source="auto", split="text", dataset=FashionMNIST):
    clothes = dataset()
    clothes.prepare(root, source)
    return clothes.load(root, source, split)


@pytest.mark.parametrize("below", [".", "FashionMNIST/raw", "fashion_mnist", "fashion"])
@pytest.mark.parametrize("zipped", [True, False])
def test_layouts_and_splits(tmp_path, small, below, zipped):
    shutil.copytree(small, tmp_path / "root" / below)
    if not zipped:
        unzip(tmp_path / "root" / below)
    text, full = get(tmp_path / "root"), get(tmp_path / "root", split="full")
    assert text.source == "idx"
    assert text.counts == {"train": 15, "held_out": 5, "test": 10}
    assert full.counts == {"train": 20, "held_out": 5, "test": 10}
    assert np.array_equal(full.train.images[:, 0].numpy(), read_idx(small / f"{FILES[0]}.gz"))
    assert torch.equal(full.train.images[:5], text.held_out.images)
    assert text.test.labels.tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert full.provenance["held_out_is_trained_on"]
    assert json.loads(json.dumps(text.provenance)) == text.provenance


def test_classes_are_known_before_anything_is_read():
    data = ImageDataModule("fashion_mnist")
    assert (data.image_shape, data.num_classes) == ((1, 28, 28), 10)
    assert (data.class_names[0], data.class_names[7], data.class_names[9]) == ("T-shirt/top", "Sneaker", "Ankle boot")


def test_official_is_what_torchvision_publishes(published, capsys):
    provenance = get(published).provenance
    assert provenance["official"] is True
    assert provenance["unverified_files"] == []
    assert capsys.readouterr().err == ""


def test_raw_and_rezipped_files_are_unknown(published, capsys):
    content = gzip.decompress((published / f"{FILES[1]}.gz").read_bytes())
    (published / f"{FILES[1]}.gz").write_bytes(gzip.compress(content, mtime=1))
    provenance = get(published).provenance
    assert provenance["official"] == "unknown"
    assert provenance["unverified_files"] == [FILES[1]]
    assert f"whether {FILES[1]} are the official" in capsys.readouterr().err
    before = provenance["files"]
    unzip(published)
    provenance = get(published).provenance
    assert provenance["official"] == "unknown"
    assert provenance["unverified_files"] == list(FILES)
    assert provenance["files"] == before  # of the contents, zipped or not


def test_mnists_files_are_refused(mnist_root):
    with pytest.raises(UserError, match=r"are MNIST's digits.*use --data\.name mnist") as caught:
        get(mnist_root)
    assert "\n" not in str(caught.value)


def test_one_file_of_mnists_is_refused(small, monkeypatch):
    digits = idx_sha256(read_idx(small / f"{FILES[3]}.gz"))
    monkeypatch.setitem(mnist.OFFICIAL_SHA256, FILES[3], digits)
    with pytest.raises(UserError, match=rf"small: {FILES[3]} are MNIST's digits"):
        get(small)


def test_its_files_are_refused_for_mnist_where_they_are_known(published, capsys):
    with pytest.raises(UserError, match=r"are Fashion-MNIST's.*use --data\.name fashion_mnist") as caught:
        get(published, dataset=MNIST)
    assert "\n" not in str(caught.value)
    unzip(published)
    assert not get(published, dataset=MNIST).provenance["official"]
    assert "not the official MNIST" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["auto", "download"])
def test_without_files_and_network(tmp_path, source, capsys):
    assert gan("data", "fashion_mnist", "--data.root", tmp_path, "--data.source", source) == 2
    line = error_line(capsys.readouterr().err)
    for part in ("fashion_mnist: download failed", f"put {FILES[0]}[.gz]", str(tmp_path)):
        assert part in line
    assert "embedded" not in line


def test_without_files_when_they_are_asked_for(tmp_path, small):
    with pytest.raises(UserError, match=r"no idx files in .*nor in its FashionMNIST/raw, fashion_mnist, fashion"):
        get(tmp_path, "idx")
    (small / f"{FILES[2]}.gz").unlink()
    with pytest.raises(UserError, match=f"{FILES[2]} missing .* beside the other files of FashionMNIST"):
        get(small)


def test_there_is_no_embedded_subset():
    with pytest.raises(UserError, match=r"data\.source: unknown 'embedded'; allowed: auto, download, idx"):
        ImageDataModule("fashion_mnist", source="embedded")


def test_download_from_a_mirror(tmp_path, published, monkeypatch):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(published))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(Published, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        downloaded = get(tmp_path / "root")
        server.shutdown()
    raw = tmp_path / "root" / "FashionMNIST" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(f"{name}.gz" for name in FILES)
    assert downloaded.provenance["official"] is True
    get(tmp_path / "root", "download")  # the server is gone: nothing is asked for


def test_its_largest_file_may_be_downloaded():
    assert download.MAX_BYTES > 26_421_880


def test_a_run_with_default_settings_trains_without_fid(small, tmp_path, capsys):
    words = (*TINY["MLPGAN"], *SMALL, *QUIET[1:], "--data.name=fashion_mnist", f"--data.root={small}")
    assert gan("fit", *words, "--trainer.max_steps=2", f"--run={tmp_path / 'run'}") == 0
    out, err = capsys.readouterr()
    assert err.count("no FID is measured") == 1
    assert "FID " not in out
    assert gan("evaluate", tmp_path / "run") == 2
    assert "data set fashion_mnist names no evaluator" in error_line(capsys.readouterr().err)
