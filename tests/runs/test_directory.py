"""A run's directory is made once; its files are replaced whole."""

import json
import os
from pathlib import Path

import pytest
import yaml
from run_support import DATA, QUIET, TINY, fit, gan

from gan.base.errors import UserError
from gan.runs import directory as run_directory
from gan.runs.directory import create, forget_after, write_provenance
from gan.runs.reader import read_run

TREE = dict.fromkeys(("model", "run", "seed_everything", "data", "trainer", "checkpoints"), "resolved")


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_it_is_made_with_its_parents_and_is_a_run_at_once(tmp_path):
    (tmp_path / "a").mkdir()  # empty is not used
    for place in (tmp_path / "a", tmp_path / "b" / "c"):
        create(place, TREE, overwrite=False)
        assert snapshot(place).keys() == {run_directory.CONFIG}
        assert yaml.safe_load((place / run_directory.CONFIG).read_text()) == TREE
        with pytest.raises(UserError, match="in use"):
            create(place, TREE, overwrite=False)
        create(place, TREE, overwrite=True)


def test_of_two_runs_that_start_at_once_one_gets_the_directory(tmp_path, monkeypatch):
    create(tmp_path / "run", {**TREE, "model": "first"}, overwrite=False)
    before = snapshot(tmp_path)
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(()))  # the second one looked before the first one wrote
    with pytest.raises(UserError, match="in use"):
        create(tmp_path / "run", TREE, overwrite=False)
    assert snapshot(tmp_path) == before


def test_a_used_one_is_refused_and_stays_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for overwrite, says in ((False, "in use"), (True, "not a run")):
        with pytest.raises(UserError, match=says):
            create(tmp_path, TREE, overwrite)
        assert snapshot(tmp_path) == {"notes.txt": b"mine"}


def test_overwrite_empties_a_run(tmp_path):
    create(tmp_path / "run", {**TREE, "model": "old"}, overwrite=False)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "x").write_text("old")
    create(tmp_path / "run", TREE, overwrite=True)
    assert snapshot(tmp_path / "run").keys() == {run_directory.CONFIG}
    assert "old" not in (tmp_path / "run" / run_directory.CONFIG).read_text()


@pytest.mark.parametrize("config", ["model: MLPGAN\nrun: x", "- a", "{broken", "", "\0"])
def test_overwrite_spares_a_project_with_a_config_of_its_own(config, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / run_directory.CONFIG).write_text(config)
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match="not a run"):
        create(tmp_path, TREE, overwrite=True)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("inside", [".", "notebooks", "notebooks/deep"])
@pytest.mark.parametrize("kind", ["working", "home"])
def test_overwrite_spares_what_the_user_works_or_lives_in(inside, kind, tmp_path, monkeypatch):
    run = tmp_path / "run"
    create(run, TREE, overwrite=False)
    (run / inside).mkdir(parents=True, exist_ok=True)
    if kind == "working":
        monkeypatch.chdir(run / inside)
    else:
        monkeypatch.setenv("HOME", str(run / inside))
    for name in (run, tmp_path / "link", Path(os.path.relpath(run))):
        if name.name == "link":
            name.symlink_to(run)
        with pytest.raises(UserError, match="working or home"):
            create(name, TREE, overwrite=True)
    assert snapshot(run).keys() == {run_directory.CONFIG}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, overwrite):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "run", Path("/proc/run"), tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="cannot write"):
            create(place, TREE, overwrite)
    with pytest.raises(UserError, match=r"in use|not a run"):
        create(tmp_path / "file", TREE, overwrite)
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


def test_a_run_whose_name_looks_like_a_number_is_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = fit(Path("1e5"), steps=1)
    assert read_run(run).config["run"] == str(tmp_path / "1e5")
    assert gan("resume", run, "--trainer.max_steps=2") == 0


def test_overwriting_takes_nothing_away_for_a_run_that_is_refused(tmp_path):
    run = fit(tmp_path / "run", steps=1)
    before = sorted(path.name for path in run.rglob("*"))
    words = (*TINY["MLPGAN"], *DATA, *QUIET, "--trainer.max_steps=1", f"--run={run}", "--overwrite")
    two = ("--trainer.accelerator=cpu", "--trainer.devices=2", "--model.recipe.batch_size=15")
    assert gan("fit", *words, "--model.recipe.batch_size=15", "--model.recipe.packing=2") == 2
    assert gan("fit", *words, *two) == 2  # before the second process is launched
    assert sorted(path.name for path in run.rglob("*")) == before


@pytest.mark.parametrize("text", ["3", "null", "[" * 100_000, "{}"])
def test_a_provenance_that_is_no_list_is_one_line(text, tmp_path):
    (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(UserError, match=r"provenance\.json: not readable as JSON"):
        write_provenance(tmp_path, {})


def test_rows_without_a_step_are_forgotten(tmp_path):
    rows = ['{"step": 1}', '{"step": null}', '{"step": "1"}', '{"step": [1]}', "[" * 100_000, '{"step": 3}']
    (tmp_path / "metrics.jsonl").write_text("".join(f"{row}\n" for row in rows))
    forget_after(tmp_path, 2)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'
