"""Bundles: what they hold, that a report reads them like the runs, and that a hostile one does nothing."""

import stat
import zipfile
from pathlib import Path

import pytest
from run_support import gan
from written_runs import written_arms, written_run

from gan.ablations.bundle import MAX_READ, bundle, unpacked
from gan.ablations.report.study import opened, study
from gan.ablations.report.summary import records, summary
from gan.base.errors import UserError


@pytest.fixture
def runs(tmp_path) -> Path:
    arms = {"normal": {}, "uniform": {"prior": {"name": "uniform", "bound": 1.0}}}
    scores = {"normal": [9.0, 10.0, 11.0], "uniform": [7.0, 8.0, float("inf")]}
    place = written_arms(tmp_path / "runs" / "priors", arms, scores)
    (place / "normal" / "seed_1" / "checkpoints").mkdir()
    (place / "normal" / "seed_1" / "checkpoints" / "last_step_0000300.ckpt").write_bytes(b"weights")
    return place


def made(file: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file


def refused(file: Path, into: Path) -> str:
    into.mkdir()
    with pytest.raises(UserError) as caught:
        unpacked(file, into)
    return str(caught.value)


def test_a_bundle_holds_what_a_report_needs_and_no_weights(runs, capsys):
    assert gan("bundle", runs) == 0
    file = runs.parent / "priors.zip"
    assert str(file) in capsys.readouterr().out
    names = zipfile.ZipFile(file).namelist()
    run = {"config.yaml", "metrics.jsonl", "provenance.json", "status.json", "samples/step_0000300.png"}
    assert {name.partition("seed_1/")[2] for name in names if "normal/seed_1" in name} == run
    assert len(names) == 6 * 5


def test_a_report_of_a_bundle_is_that_of_the_runs(runs):
    tables = []
    for path in (runs, bundle(runs)):
        with opened([path]) as sources:
            found = study(sources)
            tables.append(records(summary(found), found))
    assert repr(tables[0]) == repr(tables[1])
    assert [row["n"] for row in tables[0]] == [3, 3]


def test_a_run_of_an_older_version_stays_finished_without_its_checkpoints(tmp_path):
    run = written_run(tmp_path / "old" / "seed_1")
    (run / "status.json").unlink()
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "last_step_0000300.ckpt").touch()
    with opened([bundle(tmp_path / "old")]) as sources:
        assert [one.state for one in study(sources).runs] == ["finished"]


def test_what_is_no_run_and_what_is_too_large_is_no_bundle(tmp_path, runs):
    with pytest.raises(UserError, match="holds no runs"):
        bundle(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"must be a \.zip file"):
        bundle(runs, tmp_path / "x.tar")
    with (runs / "normal" / "seed_2" / "metrics.jsonl").open("ab") as file:
        file.truncate(20 * 10**6 + 1)
    (runs.parent / "priors.zip").write_bytes(b"before")
    with pytest.raises(UserError, match=r"metrics\.jsonl"):
        bundle(runs)
    assert (runs.parent / "priors.zip").read_bytes() == b"before"


HOSTILE = [
    "../x/config.yaml",
    "a/../../config.yaml",
    "/tmp/a/config.yaml",
    "a\\..\\config.yaml",
    "a/config.yaml/../../b/config.yaml",
    "a/./config.yaml",
    "a/run.py",
    "a/checkpoints/last_step_1.ckpt",
    "config.yaml",
    "/".join("abcdefgh") + "/config.yaml",
    "a/samples/step_1.svg",
    "C:/a/config.yaml",
    "a/config.yaml/",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_no_bundle_has_are_refused_and_nothing_is_written_elsewhere(name, tmp_path):
    file = made(tmp_path / "b.zip", (name, b"x"))
    assert "nothing that a bundle holds" in refused(file, tmp_path / "to")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b.zip", "to"]


def test_contents_beyond_their_bounds_are_refused(tmp_path):
    large = made(tmp_path / "large.zip", ("a/config.yaml", bytes(2 * 10**6)))
    assert "larger than a bundle allows" in refused(large, tmp_path / "1")
    lying = bytearray(large.read_bytes())  # says that it has 10 bytes
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = lying.index(mark) + offset
        lying[start : start + 4] = (10).to_bytes(4, "little")
    (tmp_path / "lying.zip").write_bytes(lying)
    refused(tmp_path / "lying.zip", tmp_path / "2")
    packed = made(tmp_path / "bz2.zip", ("a/config.yaml", bytes(100)), method=zipfile.ZIP_BZIP2)
    assert "nothing that a bundle holds" in refused(packed, tmp_path / "3")
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = made(tmp_path / "twice.zip", ("a/config.yaml", b"x"), ("a/config.yaml", b"y"))
    assert "one twice" in refused(twice, tmp_path / "4")
    two = made(tmp_path / "two.zip", ("a/config.yaml", b"x"), ("b/config.yaml", b"y"))
    assert "holds 2 folders" in refused(two, tmp_path / "5")
    end = b"PK\x05\x06" + bytes(8) + (MAX_READ + 1).to_bytes(4, "little") + bytes(6)
    (tmp_path / "list.zip").write_bytes(bytes(MAX_READ + 1) + end)  # its list of members fills the file
    assert "at once" in refused(tmp_path / "list.zip", tmp_path / "6")
    assert not [path for n in range(1, 7) if n != 5 for path in (tmp_path / str(n)).rglob("*") if path.is_file()]


def test_a_link_is_written_as_a_file(tmp_path):
    link = zipfile.ZipInfo("a/config.yaml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    (tmp_path / "to").mkdir()
    place = unpacked(tmp_path / "link.zip", tmp_path / "to")
    assert not (place / "config.yaml").is_symlink()
    assert (place / "config.yaml").read_text() == "/etc/passwd"


@pytest.mark.parametrize("content", [b"", b"PK", b"\x1f\x8b" + bytes(50), b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_archive_is_one_line(content, tmp_path, capsys):
    (tmp_path / "b.zip").write_bytes(content)
    assert gan("report", tmp_path / "b.zip", f"--out={tmp_path / 'out'}") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "b.zip" in err


def test_values_of_strange_types_in_a_bundle_are_one_line(runs, tmp_path, capsys):
    config = runs / "normal" / "seed_1" / "config.yaml"
    config.write_text(config.read_text().replace("seed_everything: 1", "seed_everything: [1]"))
    assert gan("report", bundle(runs), f"--out={tmp_path / 'out'}") == 2
    assert "cannot be used" in capsys.readouterr().err
