"""notMNIST: its sources and their order, its cache, its split, repetitions and polarity."""

import functools
import gzip
import hashlib
import http.server
import json
import multiprocessing
import os
import shutil
import signal
import socket
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from letters_support import contents, pictures, write_archive, write_folder

from gan.base.errors import UserError
from gan.base.notes import forget
from gan.data.datamodule import ImageDataModule
from gan.data.files.idx import encode_idx, read_images_and_labels
from gan.data.sources.glyphs import glyphs
from gan.data.sources.notmnist import notmnist
from gan.data.sources.notmnist.archive import read_archive
from gan.data.sources.notmnist.folder import list_letters
from gan.data.sources.notmnist.letters import Gathering, Letters
from gan.data.sources.notmnist.notmnist import ARCHIVES, NotMNIST
from gan.data.sources.notmnist.split import arrange, is_inverted

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "notmnist"
SMALL, LARGE = ARCHIVES
IMAGES, LABELS = pictures()
FILES = contents(IMAGES, LABELS)
PARTS = ("train", "held_out", "test")


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """The mirror is a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setattr(notmnist, "MIRRORS", [f"http://127.0.0.1:{port}/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def serve(monkeypatch):
    """Make a folder the mirror."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def start(folder):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        monkeypatch.setattr(notmnist, "MIRRORS", [*notmnist.MIRRORS, f"http://127.0.0.1:{server.server_port}/"])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def get(root, source="auto", split="hash", **parameters):
    letters = NotMNIST(**parameters)
    letters.prepare(root, source)
    return letters.load(root, source, split)


def write_idx(folder, images=IMAGES, labels=LABELS, part="t10k", zipped=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
        content = encode_idx(array)
        (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(content) if zipped else content)


def pixels(loaded):
    return {part: [image.numpy().tobytes() for image in getattr(loaded, part).images] for part in PARTS}


def cache(root):
    (path,) = (root / notmnist.CACHE).iterdir()
    return path


def unboxed(text):
    return " ".join(text.replace("|", " ").split())


def test_every_source_gives_the_same_images_in_the_same_order(tmp_path):
    write_idx(tmp_path / "idx")
    write_folder(tmp_path / "folder", FILES)
    write_archive(tmp_path / "archive" / SMALL, FILES)
    write_archive(tmp_path / "backwards" / SMALL, dict(reversed(FILES.items())))
    loaded = [get(tmp_path / name) for name in ("idx", "folder", "archive", "backwards")]
    assert [one.source for one in loaded] == ["idx", "folder", "archive", "archive"]
    for one in loaded[1:]:
        for part in PARTS:
            assert torch.equal(getattr(one, part).images, getattr(loaded[0], part).images)
            assert torch.equal(getattr(one, part).labels, getattr(loaded[0], part).labels)
    label_of = {image.tobytes(): int(label) for image, label in zip(IMAGES, LABELS, strict=True)}
    for part, images in pixels(loaded[0]).items():
        assert [label_of[image] for image in images] == getattr(loaded[0], part).labels.tolist()
    assert sum(loaded[0].counts.values()) == len(IMAGES)


def test_the_order_of_the_sources(tmp_path, capsys):
    small, large = (contents(*pictures(seed=seed), top=f"notMNIST_{top}") for seed, top in ((1, "small"), (2, "large")))
    write_archive(tmp_path / LARGE, large)
    assert list(get(tmp_path).provenance["files"]) == [LARGE]
    write_archive(tmp_path / SMALL, small)
    assert list(get(tmp_path).provenance["files"]) == [SMALL]
    write_folder(tmp_path, large)
    assert get(tmp_path).source == "folder"
    write_idx(tmp_path)
    assert get(tmp_path).source == "idx"
    assert list(get(tmp_path, "archive").provenance["files"]) == [SMALL]
    assert get(tmp_path, "folder").source == "folder"
    assert "not the official archive" in capsys.readouterr().err


@pytest.mark.parametrize("below", [".", "notMNIST", "notmnist", "not_mnist"])
def test_where_things_are_looked_for(tmp_path, below):
    write_idx(tmp_path / "idx" / below, zipped=False)
    write_archive(tmp_path / "archive" / below / LARGE, FILES)
    write_folder(tmp_path / "folder" / below, FILES)
    write_folder(tmp_path / "letters" / below, contents(IMAGES, LABELS, top="."))
    for name in ("idx", "archive", "folder", "letters"):
        assert get(tmp_path / name).counts == get(tmp_path / "idx").counts, name


def test_the_pairs_of_idx_files_are_pooled(tmp_path):
    write_idx(tmp_path / "both", IMAGES[::2], LABELS[::2], "train")
    write_idx(tmp_path / "both", IMAGES[1::2], LABELS[1::2], "t10k", zipped=False)
    write_idx(tmp_path / "one", part="train")
    both, one = get(tmp_path / "both"), get(tmp_path / "one")
    assert pixels(both) == pixels(one)
    assert len(both.provenance["files"]) == 4
    (tmp_path / "both" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte missing"):
        get(tmp_path / "both")


def test_files_of_the_other_sets_are_refused(tmp_path, mnist_root, monkeypatch):
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        shutil.copy(mnist_root / name, tmp_path)
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte are MNIST's digits, not"):
        get(tmp_path)
    write_idx(tmp_path / "notMNIST")
    assert get(tmp_path).source == "idx"  # its own folder comes first


def test_clothes_are_refused(tmp_path, monkeypatch):
    write_idx(tmp_path)
    name = "t10k-images-idx3-ubyte.gz"
    md5 = hashlib.md5((tmp_path / name).read_bytes()).hexdigest()
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.resources", [(name, md5)])
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte are Fashion-MNIST's"):
        get(tmp_path)


@pytest.mark.parametrize("source", ["idx", "folder", "archive"])
def test_nothing_there(tmp_path, source):
    for step in (NotMNIST().prepare, functools.partial(NotMNIST().load, split="hash")):
        with pytest.raises(UserError, match=r"notmnist: no .* in .*put them there, point --data.root") as caught:
            step(tmp_path, source)
        assert "\n" not in str(caught.value)


def test_incomplete_folders(tmp_path):
    write_folder(tmp_path, FILES)
    letter = tmp_path / "notMNIST_small" / "C"
    target = next(letter.iterdir())
    (letter / "link.png").symlink_to(target)
    with pytest.raises(UserError, match=r"'C/link\.png' is a link or no file"):
        get(tmp_path)
    shutil.rmtree(letter)
    with pytest.raises(UserError, match="C: no such folder, though there are others"):
        get(tmp_path)
    letter.mkdir()
    with pytest.raises(UserError, match="no PNGs of C"):
        get(tmp_path)
    for i in range(5):
        (letter / f"{i}.png").write_bytes(b"")
    with pytest.raises(UserError, match="5 of the 5 files of letter C are unreadable"):
        get(tmp_path)


def test_linked_letters_are_refused(tmp_path):
    write_folder(tmp_path / "root", FILES)
    letter = tmp_path / "root" / "notMNIST_small" / "C"
    letter.rename(tmp_path / "outside")
    letter.symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match=r"notMNIST_small/C: a link; these are not followed"):
        get(tmp_path / "root")


def test_a_folder_of_too_many_files_is_not_listed_whole(tmp_path, monkeypatch):
    write_folder(tmp_path, FILES)
    for i in range(3_000):
        (tmp_path / "notMNIST_small" / "B" / f"more{i}.png").touch()
    monkeypatch.setattr("gan.data.sources.notmnist.folder.MAX_FILES", 100)
    tracemalloc.start()
    with pytest.raises(UserError, match="more than 100 PNGs"):
        list_letters(tmp_path / "notMNIST_small")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150_000  # bytes; all the entries have more than that


def test_an_archive_that_changes_while_it_is_read(tmp_path, monkeypatch):
    """Neither the new file's digest beside the old pixels, nor a cache of these."""
    path = write_archive(tmp_path / SMALL, FILES)
    for change, message in (
        (lambda: write_archive(path, contents(*pictures(seed=1))), "changed while it was read; start again"),
        (path.unlink, "cannot be read a second time"),
    ):

        def reading(source, most, change=change):
            yield from read_archive(source, most)
            change()

        with monkeypatch.context() as patch:
            patch.setattr(notmnist, "read_archive", reading)
            with pytest.raises(UserError, match=f"{SMALL}: {message}") as caught:
                get(tmp_path)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / notmnist.CACHE).exists()
    write_archive(path, FILES)
    assert get(tmp_path).provenance["files"] == {SMALL: hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_huge_file_in_a_folder(tmp_path):
    write_folder(tmp_path, FILES)
    (tmp_path / "notMNIST_small" / "C" / "x.png").write_bytes(bytes(10**6))
    with pytest.raises(UserError, match=r"'C/x\.png' has 65,537 bytes or more, at most 65,536"):
        get(tmp_path)


def test_too_few_images(tmp_path):
    write_idx(tmp_path, IMAGES[:2], LABELS[:2])
    with pytest.raises(UserError, match="too few images: train"):
        get(tmp_path)


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_the_cache_is_read_and_is_verified(tmp_path, kind, monkeypatch, capsys):
    write_archive(tmp_path / SMALL, FILES) if kind == "archive" else write_folder(tmp_path, FILES)
    first = get(tmp_path)
    written = cache(tmp_path).read_bytes()
    capsys.readouterr()

    with monkeypatch.context() as patch:
        patch.setattr("gan.data.sources.notmnist.letters.decode_picture", None)
        again = get(tmp_path)  # no PNG is decoded
    assert pixels(again) == pixels(first)
    assert again.provenance == first.provenance
    assert capsys.readouterr().err == ""

    flipped = []
    for position in [*range(0, 600, 41), len(written) // 2, len(written) - 1]:  # in its header, too
        flipped.append(bytearray(written))
        flipped[-1][position] ^= 1
    for damaged in (b"", b"x" * 100, written[:-1], written[: len(written) // 2], b"\xff" * 16 + written, *flipped):
        forget()
        cache(tmp_path).write_bytes(damaged)
        assert pixels(get(tmp_path)) == pixels(first)
        said = capsys.readouterr().err
        assert f"{cache(tmp_path)}: damaged" in said or "its source has changed" in said
        assert get(tmp_path).provenance == first.provenance
        assert capsys.readouterr().err.count("damaged") == 0  # it was written anew


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_the_cache_follows_its_source(tmp_path, kind, capsys):
    write = {
        "archive": lambda files: write_archive(tmp_path / SMALL, files),
        "folder": functools.partial(write_folder, tmp_path),
    }
    write[kind](FILES)
    first = get(tmp_path)
    other = contents(*pictures(seed=1))
    write[kind](other)
    second = get(tmp_path)
    assert pixels(first) != pixels(second)
    assert "its source has changed" in capsys.readouterr().err
    assert first.provenance["files"] != second.provenance["files"]


def test_without_a_writable_root_there_is_no_cache(tmp_path, capsys):
    write_archive(tmp_path / SMALL, FILES)
    (tmp_path / notmnist.CACHE).write_text("not a folder")
    first, second = get(tmp_path), get(tmp_path)
    assert pixels(first) == pixels(second)
    assert capsys.readouterr().err.count("no cache can be written") == 1


def test_an_interrupted_reading_leaves_nothing_and_starts_again(tmp_path, monkeypatch):
    """Ctrl-C in another process while it decodes, and one that is killed outright."""
    write_archive(tmp_path / SMALL, FILES)
    fork = multiprocessing.get_context("fork")
    half = fork.Event()
    add = Gathering.add

    def slow(self, *file):
        add(self, *file)
        if len(self.labels) == 60:
            half.set()
            time.sleep(30)

    def read():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        NotMNIST().prepare(tmp_path, "archive")

    with monkeypatch.context() as patch:
        patch.setattr(Gathering, "add", slow)
        for ending in (signal.SIGINT, signal.SIGKILL):
            half.clear()
            process = fork.Process(target=read)
            process.start()
            assert half.wait(20)
            os.kill(process.pid, ending)
            process.join(20)
            assert process.exitcode
            assert os.listdir(tmp_path) == [SMALL]
    assert sum(get(tmp_path).counts.values()) == 120


def test_download(tmp_path, serve, monkeypatch, capsys):
    archive = write_archive(tmp_path / "mirror" / SMALL, FILES)
    monkeypatch.setitem(ARCHIVES, SMALL, hashlib.md5(archive.read_bytes()).hexdigest())
    serve(tmp_path / "mirror")
    for source in ("auto", "download"):
        loaded = get(tmp_path / source, source)
        assert loaded.source == "archive"
        assert loaded.provenance["official"] is True
        assert loaded.provenance["files"] == {SMALL: hashlib.sha256(archive.read_bytes()).hexdigest()}
    monkeypatch.setattr(notmnist, "MIRRORS", [])
    get(tmp_path / "auto"), get(tmp_path / "download", "download")  # the second time nothing is asked for
    assert capsys.readouterr().err == ""


def test_another_file_from_the_mirror(tmp_path, serve, capsys):
    write_archive(tmp_path / "mirror" / SMALL, FILES)
    serve(tmp_path / "mirror")
    with pytest.raises(UserError, match=r"notmnist: download failed: .*wrong md5.*put notMNIST_small.tar.gz into"):
        get(tmp_path / "root", "download")
    assert not (tmp_path / "root").exists()


@pytest.fixture
def few_glyphs(monkeypatch):
    """Ten images of each font: less to render."""
    monkeypatch.setattr(glyphs, "COUNTS", dict.fromkeys(glyphs.COUNTS, 1))


def test_without_anything_there_are_glyphs_and_it_is_said(few_glyphs, tmp_path, capsys):
    loaded = get(tmp_path)
    said = capsys.readouterr().err
    assert loaded.name == loaded.provenance["name"] == "glyphs"
    assert len({len(line) for line in said.splitlines()}) == 1  # one box
    parts = ("THIS IS NOT notMNIST", str(tmp_path), "download failed", "data_set: glyphs", "--data.root DIR")
    for part in (*parts, f"from {len(loaded.provenance['files']) - 1} fonts"):
        assert part in unboxed(said)
    full = get(tmp_path, "glyphs", "full")
    assert full.provenance["held_out_is_trained_on"]
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_root_that_was_given_is_never_replaced_by_glyphs(few_glyphs, tmp_path):
    def given(root, source="auto"):
        data = ImageDataModule("notmnist", root=str(root), source=source)
        data.prepare_data()
        data.setup()
        return data

    with pytest.raises(UserError, match=r"none: no such folder; point --data.root at"):
        given(tmp_path / "none")
    with pytest.raises(UserError, match=r"download failed"):
        given(tmp_path)
    (tmp_path / "notmnist_small.tar.gz").write_bytes(b"")
    with pytest.raises(UserError, match=r"it holds 'notmnist_small.tar.gz', which is no name of these"):
        given(tmp_path)
    assert given(tmp_path, "glyphs").pinned["source"] == "glyphs"
    fallen = ImageDataModule("notmnist")  # nobody gave a root
    fallen.setup()
    assert fallen.pinned["source"] == "glyphs"


def test_options_make_other_protocols_and_the_plain_set_keeps_its_own(tmp_path):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(encode_idx(IMAGES))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(encode_idx(LABELS))
    plain = get(tmp_path)
    assert plain.sha256 == hashlib.sha256(repr(sorted(plain.files.items())).encode()).hexdigest()
    polarity, duplicates = {"polarity": "normalise"}, {"duplicates": "remove"}
    options = (polarity, duplicates, polarity | duplicates, {"inverted": 0.5}, {"inverted": 1.0})
    assert len({plain.sha256, *(get(tmp_path, **each).sha256 for each in options)}) == 6


def test_options_that_glyphs_lack(few_glyphs, tmp_path, capsys):
    """Refused where glyphs are asked for, said where they stand in."""
    for options in ({"polarity": "normalise"}, {"duplicates": "remove"}, {"inverted": 0.5}):
        for step in (NotMNIST(**options).prepare, functools.partial(NotMNIST(**options).load, split="hash")):
            with pytest.raises(UserError, match=r"notmnist: polarity=.* rendered letters lack these options"):
                step(tmp_path, "glyphs")
    assert get(tmp_path, **options).name == "glyphs"
    assert "Its options do not apply." in unboxed(capsys.readouterr().err)


def test_the_split_is_fixed(tmp_path):
    """The rule, computed otherwise, and the parts of the two splits."""
    write_idx(tmp_path)
    by_hash, full = get(tmp_path), get(tmp_path, split="full")
    expected = {part: set() for part in PARTS}
    for image in IMAGES:
        lesser = min(hashlib.sha256(x.tobytes()).hexdigest() for x in (image, 255 - image))
        expected[{0: "test", 1: "held_out"}.get(int(lesser[:16], 16) % 10, "train")].add(image.tobytes())
    assert {part: set(images) for part, images in pixels(by_hash).items()} == expected
    assert pixels(full)["train"] == pixels(by_hash)["train"] + pixels(by_hash)["held_out"]
    assert pixels(full)["test"] == pixels(by_hash)["test"]
    assert full.provenance["held_out_is_trained_on"]
    assert not by_hash.provenance["held_out_is_trained_on"]


def test_repetitions_and_negatives_are_never_in_two_parts(tmp_path):
    images = np.concatenate([IMAGES, IMAGES[::3], 255 - IMAGES[::2]])
    labels = np.concatenate([LABELS, (LABELS[::3] + 1) % 10, LABELS[::2]])
    write_idx(tmp_path, images, labels)
    keep, remove = get(tmp_path), get(tmp_path, duplicates="remove")
    for loaded in (keep, remove):
        families = [
            {min(image, (255 - np.frombuffer(image, np.uint8)).tobytes()) for image in images}
            for images in pixels(loaded).values()
        ]
        assert sum(map(len, families)) == len(set.union(*families)) == len(IMAGES)
    assert keep.provenance["duplicates"] == {"mode": "keep", "images": 40, "with_other_label": 40}
    assert remove.provenance["duplicates"] == {"mode": "remove", "images": 40, "with_other_label": 40}
    assert sum(keep.counts.values()) == 220
    assert sum(remove.counts.values()) == 180
    lowest = {}
    for image, label in zip(images, labels.tolist(), strict=True):
        lowest[image.tobytes()] = min(label, lowest.get(image.tobytes(), 9))
    for part, kept in pixels(remove).items():
        assert [lowest[image] for image in kept] == getattr(remove, part).labels.tolist()


def framed(ink, paper, share):
    """A bar that fills about `share` of the image, inside a frame of one pixel."""
    image = np.full((28, 28), paper, np.uint8)
    image[1 : 1 + round(share * 784 / 26), 1:27] = ink
    return image


def test_which_images_are_inverted():
    yes = [framed(0, 255, 0.3), framed(127, 128, 0.3), framed(0, 255, 0.07), framed(0, 255, 0.49)]
    no = [framed(255, 0, 0.3), framed(0, 255, 0.03), framed(0, 255, 0.55), framed(128, 255, 0.3), np.zeros((28, 28))]
    for side in (np.s_[0, 5], np.s_[-1, 5], np.s_[5, 0], np.s_[5, -1]):
        no.append(framed(0, 255, 0.3))
        no[-1][side] = 127
    assert is_inverted(np.array(yes, np.uint8)).all()
    assert not is_inverted(np.array(no, np.uint8)).any()


def test_polarity(tmp_path):
    """A letter and its negative are the same once they have the same polarity, and were in one part before."""
    letter = framed(0, 255, 0.3)
    write_idx(
        tmp_path, np.concatenate([IMAGES, letter[None], 255 - letter[None]]), np.append(LABELS, [3, 3]).astype(np.uint8)
    )
    keep, normalised = get(tmp_path), get(tmp_path, polarity="normalise")
    assert keep.provenance["inverted"] == normalised.provenance["inverted"] == 1
    assert keep.provenance["duplicates"]["images"] == 0
    assert normalised.provenance["duplicates"]["images"] == 1
    assert keep.counts == normalised.counts
    dark_on_bright = [images.count(letter.tobytes()) for images in pixels(keep).values()]
    bright_on_dark = [images.count((255 - letter).tobytes()) for images in pixels(normalised).values()]
    assert sorted(dark_on_bright) == [0, 0, 1]
    assert bright_on_dark == [2 * count for count in dark_on_bright]


def test_a_share_of_the_letters_is_made_dark_on_bright(tmp_path):
    letters = np.stack([framed(255, 0, 0.1 + 0.0005 * number) for number in range(600)])
    letters[:, 5, 5] = np.arange(600) % 256  # all differ
    letters[:, 6, 5] = np.arange(600) // 256
    letters[0] = framed(0, 255, 0.3)  # dark on bright already
    write_idx(tmp_path, letters, (np.arange(600) % 10).astype(np.uint8))
    plain, some, whole = (get(tmp_path, inverted=share) for share in (0.0, 0.2, 1.0))
    for part in ("train", "held_out", "test"):
        before, after, every = (getattr(data, part).images for data in (plain, some, whole))
        changed = (before != after).flatten(1).any(dim=1)
        assert torch.equal(after[changed], 255 - before[changed])
        already = (before != every).flatten(1).any(dim=1).logical_not()
        assert int(already.sum()) == sum(image.numpy().tobytes() == letters[0].tobytes() for image in before)
    changed = sum(
        int((a.images != b.images).flatten(1).any(dim=1).sum())
        for a, b in zip((plain.train, plain.held_out, plain.test), (some.train, some.held_out, some.test), strict=True)
    )
    assert 0.2 - 4 * 0.4 / 600**0.5 < changed / 600 < 0.2 + 4 * 0.4 / 600**0.5
    assert (some.provenance["inverted"], some.provenance["made_inverted"]) == (1, 0.2)
    with pytest.raises(UserError, match=r"notmnist: inverted must be a share from 0 to 1, got 2"):
        NotMNIST(inverted=2)


def test_arranging_in_chunks_is_the_same(monkeypatch):
    letters = Letters(
        np.concatenate([IMAGES, framed(0, 255, 0.3)[None]]), np.append(LABELS, [1]).astype(np.uint8), {}, "unknown", {}
    )
    whole = arrange(letters, normalise=True, unique=True)
    monkeypatch.setattr("gan.data.sources.notmnist.split.CHUNK", 7)
    parts = arrange(letters, normalise=True, unique=True)
    assert np.array_equal(whole.images, parts.images)
    assert whole.inverted == parts.inverted == 1


def test_parameters_come_from_the_configuration_and_are_checked(tmp_path):
    write_idx(tmp_path)
    data = ImageDataModule({"name": "notmnist", "polarity": "normalise", "duplicates": "remove"}, str(tmp_path))
    data.prepare_data()
    data.setup()
    assert data.class_names == tuple("ABCDEFGHIJ")
    assert data.loaded.provenance["polarity"] == "normalise"
    assert data.loaded.provenance["duplicates"]["mode"] == "remove"
    with pytest.raises(UserError, match="polarity"):
        ImageDataModule({"name": "notmnist", "polarity": "upside down"}, str(tmp_path))


def test_real_letters():
    """A random sample of the large set."""
    if not (REAL / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip("the sample of notMNIST is not at ../shared/data/notmnist")
    started = time.perf_counter()
    loaded = get(REAL)
    assert time.perf_counter() - started < 2
    assert loaded.counts == {"train": 8_061, "held_out": 924, "test": 1_015}
    assert loaded.provenance["inverted"] == 11
    assert loaded.provenance["duplicates"] == {"mode": "keep", "images": 196, "with_other_label": 0}
    assert json.loads(json.dumps(loaded.provenance)) == loaded.provenance
    parts = [set(images) for images in pixels(loaded).values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 9_804
    assert torch.bincount(loaded.test.labels, minlength=10).min() > 70
    removed = get(REAL, polarity="normalise", duplicates="remove")
    assert removed.counts == {"train": 7_879, "held_out": 916, "test": 1_009}
    images, labels = read_images_and_labels(
        REAL / "t10k-images-idx3-ubyte.gz", REAL / "t10k-labels-idx1-ubyte.gz", image_shape=(28, 28), num_classes=10
    )
    label_of = {image.tobytes(): int(label) for image, label in zip(images, labels, strict=True)}
    assert [label_of[image] for image in pixels(loaded)["test"]] == loaded.test.labels.tolist()
