"""Hostile and broken archives: one line each, nothing outside touched, nothing inflated beyond its bound."""

import gzip
import io
import tarfile
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from letters_support import contents, member, pictures, png, write_archive

from gan.base.errors import UserError
from gan.data.sources.notmnist import archive, letters, notmnist
from gan.data.sources.notmnist.archive import read_archive
from gan.data.sources.notmnist.notmnist import NotMNIST

FILES = contents(*pictures())
NAME = "notMNIST_small.tar.gz"
LETTER = "notMNIST_small/A/x.png"


def tree(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def refused(root, message):
    """The archive in `root` is refused in one line that names it, and what lies around is as it was."""
    before = tree(root.parent)
    with pytest.raises(UserError, match=message) as caught:
        NotMNIST().prepare(root, "archive")
    line = str(caught.value)
    assert line.startswith(str(root / NAME))
    assert "\n" not in line
    assert len(line) < 400 + len(str(root))
    assert tree(root.parent) == before


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "beside").write_text("untouched")
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (member("../escaped.png"), r"'\.\./escaped\.png' leads out"),
        (member("notMNIST_small/A/../../../escaped.png"), "leads out"),
        (member("../beside"), "leads out"),
        (member("/tmp/escaped.png"), "has an absolute path"),
        (member("notMNIST_small/A", type=tarfile.SYMTYPE, linkname="/etc"), "is a link"),
        (member(LETTER, type=tarfile.SYMTYPE, linkname="../../../beside"), "is a link"),
        (member(LETTER, type=tarfile.SYMTYPE, linkname="y.png"), "is a link"),
        (member(LETTER, type=tarfile.LNKTYPE, linkname="../beside"), "is a link"),
        (member(LETTER, type=tarfile.CHRTYPE, devmajor=1, devminor=5), "is a device or a pipe"),
        (member(LETTER, type=tarfile.FIFOTYPE), "is a device or a pipe"),
        (member("a\nb/../../c\x1b[2J"), r"'a\\nb/\.\./\.\./c\\x1b\[2J' leads out"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else "",
)
def test_members_that_no_honest_archive_holds(root, info, message):
    write_archive(root / NAME, FILES, extra=[(info, b"")])
    refused(root, message)


def test_a_member_beyond_the_bound(root):
    write_archive(root / NAME, FILES, extra=[(member("notMNIST_small/notes.txt", 10**6), bytes(10**6))])
    refused(root, "announces 1,000,000 bytes, at most 65,536")


def hostile_header(kind, size, claimed=None):
    """A header of this type before the data; `claimed` in the place of its size, in base 256 if it is negative."""
    info = member("././@LongLink", size, type=kind)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    if claimed is not None:
        header[124:136] = tarfile.itn(claimed, 12, tarfile.GNU_FORMAT)
        header[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(header))[0]
    return bytes(header)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_a_bomb_is_never_inflated(root, kind):
    """200 MB of zeros in 200 kB, as a file and as headers, which tarfile would read whole."""
    with gzip.open(root / NAME, "wb", compresslevel=1) as stream:
        stream.write(hostile_header(kind, 200 * 2**20))
        for _ in range(200):
            stream.write(bytes(2**20))
    tracemalloc.start()
    refused(root, "one member's headers exceed 4,096 bytes|announces 209,715,200 bytes")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_zeros_without_end_behind_the_archive(root):
    with gzip.open(root / NAME, "wb", compresslevel=1) as stream:
        stream.write(bytes(50 * 2**20))
    refused(root, "what follows its last member exceeds 65,536 bytes")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
@pytest.mark.parametrize("claimed", [-512, -1024, -(2**40)])
def test_negative_sizes(root, kind, claimed):
    (root / NAME).write_bytes(gzip.compress(hostile_header(kind, 0, claimed) + bytes(10240)))
    refused(root, "announces -|no tar archive, or a damaged one|damaged tar headers")


def test_headers_upon_headers(root):
    """Each extended header calls the next from within tarfile."""
    (root / NAME).write_bytes(gzip.compress(hostile_header(tarfile.XHDTYPE, 0) * 5_000))
    refused(root, "one member's headers exceed|damaged tar headers|no tar archive")


def write_headers(path, count, kind, content):
    """`count` empty members, each after a PAX header of this type; `content` gives the text of the i-th."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = member("notMNIST_small/README").tobuf(tarfile.GNU_FORMAT)
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for i in range(count):
            text = content(i)
            stream.write(hostile_header(kind, len(text)) + text + bytes(-len(text) % 512) + name)
        stream.write(bytes(10240))


def seconds(step):
    started = time.process_time()
    step()
    return time.process_time() - started


def test_global_headers_do_not_add_up(root):
    """tarfile hands all that it has seen to every member: 2,000 times up to 128,000 keys."""
    write_headers(
        root / NAME,
        2_000,
        tarfile.XGLTYPE,
        lambda i: b"".join(b"8 %s=\n" % np.base_repr(50_000 + 64 * i + k, 36).encode() for k in range(64)),
    )
    assert seconds(lambda: refused(root, "no PNGs of A")) < 2


def test_a_long_header_is_not_searched(root):
    """Python's CVE-2024-6232: these digits take seconds where they are read; the line says the true bound."""
    write_headers(root / NAME, 1, tarfile.XHDTYPE, lambda _: b"1" * 80_000)
    assert seconds(lambda: refused(root, "one member's headers exceed 4,096 bytes")) < 1
    for size, message in ((3_072, "no PNGs of A"), (3_073, "one member's headers exceed 4,096 bytes")):
        write_headers(root / NAME, 1, tarfile.XHDTYPE, lambda _, size=size: b"1" * size)
        refused(root, message)


def test_many_long_headers(root):
    """What they have in all is bounded by what so many members need on average."""
    write_headers(root / NAME, 2_000, tarfile.XHDTYPE, lambda _: b"1" * 3_072)
    assert seconds(lambda: refused(root, "the headers of 103 members have 421,888 bytes, on average at most 1,536")) < 4
    write_headers(root / NAME, 1_000, tarfile.XHDTYPE, lambda _: b"30 mtime=1317340800.123456789\n")
    refused(root, "no PNGs of A")


def test_a_header_that_lies_about_the_size_buys_no_headers(root):
    """GNU.sparse.realsize sets the size that a member announces, not the place of the next one."""
    text = b"29 GNU.sparse.realsize=65536\n"
    long = hostile_header(tarfile.XHDTYPE, 50_000) + b"1" * 50_000 + bytes(-50_000 % 512)
    name = member("notMNIST_small/README").tobuf(tarfile.GNU_FORMAT)
    lying = hostile_header(tarfile.XHDTYPE, len(text)) + text + bytes(512 - len(text)) + name
    (root / NAME).write_bytes(gzip.compress(lying + long + name + bytes(10240)))
    refused(root, "one member's headers exceed 4,096 bytes")


def test_too_many_members_and_too_much_in_all(root, monkeypatch):
    write_archive(root / NAME, FILES)
    monkeypatch.setattr(archive, "MAX_FILES", 100)
    refused(root, "more than 100 members")
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 50_000)
    refused(root, "inflates to more than 50,000 bytes")


def test_truncated_anywhere(root):
    whole = write_archive(root / NAME, FILES).read_bytes()
    for stop in [*range(2, 30), *range(30, len(whole), len(whole) // 40), len(whole) - 8, len(whole) - 1]:
        (root / NAME).write_bytes(whole[:stop])
        refused(root, "truncated: its gzip data end too early")


def test_a_tar_cut_before_it_was_zipped(root):
    tar = gzip.decompress(write_archive(root / NAME, FILES).read_bytes())
    end = len(tar.rstrip(b"\0"))
    for stop in (100, 512, 600, 1300, 20 * 512, 20 * 512 + 100, end - 700, -(-end // 512) * 512):
        (root / NAME).write_bytes(gzip.compress(tar[:stop]))
        refused(root, "no tar archive, or a damaged one|the tar in it has no end|damaged")


def test_flipped_bytes(root):
    """In the gzip data, and in a header of the tar, which tarfile alone would take for its end."""
    whole = write_archive(root / NAME, FILES).read_bytes()
    for position in (len(whole) // 3, len(whole) // 2, len(whole) - 6):
        flipped = bytearray(whole)
        flipped[position] ^= 0xFF
        (root / NAME).write_bytes(flipped)
        refused(root, "damaged|truncated")
    tar = bytearray(gzip.decompress(whole))
    tar[tar.index(b"notMNIST_small/E")] ^= 1
    (root / NAME).write_bytes(gzip.compress(bytes(tar)))
    refused(root, "damaged: data behind the end of the tar")


def test_other_formats_and_empty_ones(root):
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as stream:
        stream.writestr("notMNIST_small/A/x.png", b"")
    plain = gzip.decompress(write_archive(root / NAME, FILES).read_bytes())
    for content, message in (
        (b"", "no .tar.gz: it is empty"),
        (zipped.getvalue(), "no .tar.gz: it begins with 0x504b"),
        (plain, "no .tar.gz: it begins with"),
        (b"<html>", "no .tar.gz"),
        (gzip.compress(b""), "no tar archive, or a damaged one"),
        (gzip.compress(b"text" * 1000), "no tar archive, or a damaged one"),
        (gzip.compress(bytes(10240)), "no PNGs of A, B, C"),
    ):
        (root / NAME).write_bytes(content)
        refused(root, message)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no PNGs of A, B, C"),
        ({"train/0.png": png(np.zeros((28, 28), np.uint8))}, "no PNGs of A, B, C"),
        ({name: content for name, content in FILES.items() if "/C/" not in name}, "no PNGs of C;"),
        ({name: content if "/C/" not in name else b"" for name, content in FILES.items()}, "12 of the 12 files of let"),
        ({**FILES, LETTER: png(np.zeros((28, 29), np.uint8))}, "'A/x.png' is a picture of 29 x 28 in mode L, 28 x 28"),
        ({**FILES, LETTER: png(np.zeros((28, 28, 3), np.uint8))}, "'A/x.png' is a picture of 28 x 28 in mode RGB"),
        ({**FILES, LETTER: png(np.zeros((28, 28, 4), np.uint8))}, "in mode RGBA"),
        ({**FILES, LETTER: png(np.zeros((28, 28), bool))}, "in mode 1"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:20],
)
def test_sound_archives_of_something_else(root, files, message):
    write_archive(root / NAME, files)
    refused(root, message)


def test_what_is_passed_over(root):
    """Folders, hidden files, other files: not read, and no fault."""
    extra = [
        (member("notMNIST_small", type=tarfile.DIRTYPE), b""),
        (member("notMNIST_small/A", type=tarfile.DIRTYPE), b""),
        *((member(name, 4), b"text") for name in ("notMNIST_small/A/._x.png", "README", "notMNIST_small/.DS_Store")),
    ]
    write_archive(root / NAME, FILES, extra=extra)
    found = list(read_archive(root / NAME))
    assert {f"notMNIST_small/{name}": content for name, _, content in found} == FILES
    assert [label for _, label, _ in found] == pictures()[1].tolist()


@pytest.mark.parametrize("prefix", ["notMNIST_large/", "./notMNIST_small/", "./", ""])
def test_other_tops_and_long_names(root, prefix):
    files = {f"{prefix}A/{'x' * 200}==.png": b"1", f"{prefix}J/{'é' * 60}.png": b"2"}
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(root / NAME, "w:gz", format=form) as tar:
            for name, content in files.items():
                tar.addfile(member(name, len(content)), io.BytesIO(content))
        assert [(f"{prefix}{name}", content) for name, _, content in read_archive(root / NAME)] == list(files.items())


def test_unreadable_pngs_are_left_out_listed_and_said(root, capsys):
    broken = {
        LETTER: b"",
        "notMNIST_small/F/y.png": b"no picture",
        "notMNIST_small/F/z.png": png(pictures()[0][0])[:60],
    }
    write_archive(root / NAME, {**FILES, **broken})
    NotMNIST().prepare(root, "archive")
    said = capsys.readouterr().err.splitlines()
    assert sum("3 of 123 files are unreadable" in line for line in said) == 1
    loaded = NotMNIST().load(root, "archive", "hash")
    unreadable = loaded.provenance["unreadable"]
    assert unreadable["count"] == 3
    assert sorted(unreadable["files"]) == ["A/x.png", "F/y.png", "F/z.png"]
    assert unreadable["files"]["A/x.png"] == "empty"
    assert sum(loaded.counts.values()) == 120


def test_only_so_many_unreadable_files_are_listed(root, monkeypatch):
    monkeypatch.setattr(letters, "LISTED", 2)
    write_archive(root / NAME, {**FILES, **{f"notMNIST_small/B/bad{i}.png": b"" for i in range(5)}})
    unreadable = get_provenance(root)["unreadable"]
    assert unreadable["count"] == 5
    assert len(unreadable["files"]) == 2


def get_provenance(root):
    dataset = NotMNIST()
    dataset.prepare(root, "archive")
    return dataset.load(root, "archive", "hash").provenance


def test_unreadable_archives(root):
    with pytest.raises(UserError, match="cannot be read"):
        list(read_archive(root))
    with pytest.raises(UserError, match="cannot be read"):
        list(read_archive(root / "absent.tar.gz"))


def test_a_bar_shows_the_progress(root, monkeypatch, capsys):
    write_archive(root / NAME, FILES)
    monkeypatch.setattr(archive, "BAR_FROM", 0)
    list(read_archive(root / NAME))
    assert f"reading {NAME}: 100%" in capsys.readouterr().err


def test_an_archive_that_packs_very_many_members_is_refused_soon(root, capsys):
    """Each member takes time, however little of the file it takes. That the archive is unknown is said before."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(member(LETTER, 100), io.BytesIO(bytes(100)))
    one = stream.getvalue()[:1024]
    (root / NAME).write_bytes(gzip.compress(one * 19_000, 1))
    start = time.process_time()
    refused(root, "inflates to more than 50 times its size")
    assert time.process_time() - start < 10
    assert "not the official archive" in capsys.readouterr().err


def test_an_archive_has_as_many_members_as_its_name_allows(root, monkeypatch):
    monkeypatch.setitem(notmnist.MAX_MEMBERS, NAME, 100)
    write_archive(root / NAME, FILES)
    refused(root, "more than 100 members")
