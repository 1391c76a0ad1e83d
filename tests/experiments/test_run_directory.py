"""A run's directory is made once; its files are replaced whole."""

import json
from pathlib import Path

import pytest

from gan.errors import UserError
from gan.experiments import run_directory
from gan.experiments.run_directory import create, forget_after, write_provenance


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_it_is_made_with_its_parents_and_left_empty(tmp_path):
    create(tmp_path / "a" / "b", overwrite=False)
    assert list((tmp_path / "a" / "b").iterdir()) == []
    create(tmp_path / "a" / "b", overwrite=False)  # empty is not used


def test_a_used_one_is_refused_and_stays_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for overwrite, says in ((False, "in use"), (True, "not a run")):
        with pytest.raises(UserError, match=says):
            create(tmp_path, overwrite)
        assert snapshot(tmp_path) == {"notes.txt": b"mine"}


def test_overwrite_empties_a_run(tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / run_directory.CONFIG).write_text("model: MLPGAN")
    (tmp_path / "run" / "checkpoints" / "x").write_text("old")
    create(tmp_path / "run", overwrite=True)
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, overwrite):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "run", Path("/proc/run"), tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="cannot write"):
            create(place, overwrite)
    with pytest.raises(UserError, match=r"in use|not a run"):
        create(tmp_path / "file", overwrite)
    assert (tmp_path / "file").is_file()


def test_forget_after_drops_later_rows_and_what_a_crash_cut_off(tmp_path):
    forget_after(tmp_path, 5)  # a run without metrics
    lines = ['{"step": 2, "fid": 1.0}', '{"step": 4}', "", '{"step": 6}', "[1]", '{"fid": 3}', '{"step": 4, "fi']
    (tmp_path / run_directory.METRICS).write_text("\n".join(lines))
    forget_after(tmp_path, 4)
    assert (tmp_path / run_directory.METRICS).read_text() == '{"step": 2, "fid": 1.0}\n{"step": 4}\n'


def test_provenance_grows_by_an_entry_and_a_broken_one_is_named(tmp_path):
    write_provenance(tmp_path, {"a": 1})
    write_provenance(tmp_path, {"a": 2})
    path = tmp_path / run_directory.PROVENANCE
    assert json.loads(path.read_text()) == [{"a": 1}, {"a": 2}]
    path.write_text("{broken")
    with pytest.raises(UserError, match=r"provenance\.json"):
        write_provenance(tmp_path, {"a": 3})
    assert path.read_text() == "{broken"
