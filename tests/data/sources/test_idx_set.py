"""Sets in MNIST's format that are no digits: where the files are looked for, what is known of them, downloads."""

import functools
import gzip
import http.server
import json
import shutil
import threading

import numpy as np
import pytest
import torch
import torchvision.datasets
from run_support import QUIET, SMALL, TINY, error_line, gan

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.data.dataset import DATASETS
from gan.data.files import download
from gan.data.files.idx import read_idx
from gan.data.sources.idx_set import FILES

pytestmark = pytest.mark.usefixtures("offline")
SETS = {"fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}  # and their names in torchvision


@pytest.fixture(params=SETS)
def name(request):
    return request.param


@pytest.fixture
def published(name, publish):
    return publish(SETS[name])


def unzip(folder):
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


def get(name, root, source="auto", split="text"):
    dataset = DATASETS[name]()
    dataset.prepare(root, source)
    return dataset.load(root, source, split)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("name", "below"),
    [
        *(("fashion_mnist", folder) for folder in (".", "FashionMNIST/raw", "fashion_mnist", "fashion")),
        *(("kmnist", folder) for folder in ("KMNIST/raw", "kmnist", "kuzushiji")),
    ],
)
def test_layouts_and_splits(tmp_path, small, name, below, zipped):
    shutil.copytree(small, tmp_path / "root" / below)
    if not zipped:
        unzip(tmp_path / "root" / below)
    text, full = get(name, tmp_path / "root"), get(name, tmp_path / "root", split="full")
    assert text.source == "idx"
    assert text.counts == {"train": 15, "held_out": 5, "test": 10}
    assert full.counts == {"train": 20, "held_out": 5, "test": 10}
    assert np.array_equal(full.train.images[:, 0].numpy(), read_idx(small / f"{FILES[0]}.gz"))
    assert torch.equal(full.train.images[:5], text.held_out.images)
    assert text.test.labels.tolist() == list(range(10))
    assert full.provenance["held_out_is_trained_on"]
    assert json.loads(json.dumps(text.provenance)) == text.provenance


def test_official_is_what_torchvision_publishes(name, published, capsys):
    provenance = get(name, published).provenance
    assert provenance["official"] is True
    assert provenance["unverified_files"] == []
    assert capsys.readouterr().err == ""


def test_raw_and_rezipped_files_are_unknown(name, published, capsys):
    content = gzip.decompress((published / f"{FILES[1]}.gz").read_bytes())
    (published / f"{FILES[1]}.gz").write_bytes(gzip.compress(content, mtime=1))
    provenance = get(name, published).provenance
    assert provenance["official"] == "unknown"
    assert provenance["unverified_files"] == [FILES[1]]
    assert f"whether {FILES[1]} are the official" in capsys.readouterr().err
    before = provenance["files"]
    unzip(published)
    provenance = get(name, published).provenance
    assert provenance["official"] == "unknown"
    assert provenance["unverified_files"] == list(FILES)
    assert provenance["files"] == before  # of the contents, zipped or not


@pytest.mark.parametrize("source", ["auto", "download"])
def test_without_files_and_network(tmp_path, name, source, capsys):
    assert gan("data", name, "--data.root", tmp_path, "--data.source", source) == 2
    line = error_line(capsys.readouterr().err)
    for part in (f"{name}: download failed", f"put {FILES[0]}[.gz]", str(tmp_path)):
        assert part in line
    assert "embedded" not in line


def test_without_files_when_they_are_asked_for(tmp_path, name, small):
    with pytest.raises(UserError, match=rf"no idx files in .*nor in its {SETS[name]}/raw, {name}, "):
        get(name, tmp_path, "idx")
    (small / f"{FILES[2]}.gz").unlink()
    with pytest.raises(UserError, match=f"{FILES[2]} missing .* beside the other files of {SETS[name]}"):
        get(name, small)


def test_there_is_no_embedded_subset(name):
    with pytest.raises(UserError, match=r"data\.source: unknown 'embedded'; allowed: auto, download, idx"):
        ImageDataModule(name, source="embedded")


def test_download_from_a_mirror(tmp_path, name, published, monkeypatch):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(published))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        of = getattr(torchvision.datasets, SETS[name])
        monkeypatch.setattr(of, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        downloaded = get(name, tmp_path / "root")
        server.shutdown()
    raw = tmp_path / "root" / SETS[name] / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(f"{file}.gz" for file in FILES)
    assert downloaded.provenance["official"] is True
    get(name, tmp_path / "root", "download")  # the server is gone: nothing is asked for


def test_its_largest_file_may_be_downloaded():
    assert download.MAX_BYTES > 26_421_880


def test_a_run_has_no_fid_without_a_classifier(name, small, tmp_path, capsys):
    words = (*TINY["MLPGAN"], *SMALL, *QUIET[1:], f"--data.name={name}", f"--data.root={small}")
    assert gan("fit", *words, "--trainer.max_steps=2", f"--run={tmp_path / 'run'}") == 0
    assert "FID " not in capsys.readouterr().out
    assert gan("evaluate", tmp_path / "run", "--metrics=fid") == 2
    assert f"data set {name} names no extractor" in error_line(capsys.readouterr().err)
