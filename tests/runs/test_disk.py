"""A disk that is full, read-only or gone stops a run in one line, and the last good checkpoint stays."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import pytorch_lightning as pl
from run_support import DATA, QUIET, SMALL, TINY, checkpoint, error_line, fit, gan, same_end

from gan.runs.reader import Run


class Trouble(pl.Callback):
    """Does something to the disk of a run at a step."""

    def __init__(self, kind: str, step: int = 5) -> None:
        self.kind, self.step = kind, step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            self.step = -1
            getattr(self, self.kind)(Path(trainer.run_directory))

    def full(self, run: Path) -> None:
        filled(run.parent / "rubbish")

    def read_only(self, run: Path) -> None:
        for flags in ("bind", "bind,remount,ro"):
            subprocess.run(["mount", "-o", flags, run / "checkpoints", run / "checkpoints"], check=True)

    def gone(self, run: Path) -> None:
        shutil.rmtree(run)


def filled(file: Path) -> None:
    """Fill the disk of a file to its last byte."""
    with file.open("wb", buffering=0) as opened:
        for size in (1 << 16, 1):
            while True:
                try:
                    opened.write(bytes(size))
                except OSError:
                    break


@pytest.fixture
def disk(tmp_path):
    """A disk of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True).returncode:
        pytest.skip("this machine does not let the tests mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


SAYS = {"full": "No space left", "read_only": "Read-only", "gone": "No such file"}


@pytest.mark.parametrize("kind", SAYS)
def test_a_run_stops_in_one_line_and_goes_on_when_the_disk_is_mended(kind, disk, tmp_path, capfd):
    run = disk / "run"
    words = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--scalars.every_n_steps=1", "--trainer.max_steps=8")
    cadences = ("--checkpoints.every_n_steps=2", "--image_grid.every_n_steps=8")
    callback = f"--trainer.callbacks=[{{class_path: {__name__}.Trouble, init_args: {{kind: {kind}}}}}]"
    assert gan("fit", *words, *cadences, callback, f"--run={run}") == 4
    said = capfd.readouterr().err
    assert "Traceback" not in said
    line = error_line(said.splitlines()[-1])
    assert SAYS[kind] in line
    if kind == "gone":
        assert not run.exists(), "it is not made anew"
        return
    if kind == "full":
        (disk / "rubbish").unlink()
    else:
        subprocess.run(["umount", run / "checkpoints"], check=True)
    assert checkpoint(run)["global_step"] == 4
    assert list(Run(run).saved("last")) == [2, 4]
    assert not list(run.rglob("*.part"))
    assert gan("resume", run, "--trainer.callbacks=null", f"--allow-import={__name__}") == 0
    same_end(fit(tmp_path / "whole", steps=8), run)


def test_a_full_folder_for_temporary_files_does_not_matter(disk, tmp_path, monkeypatch):
    filled(disk / "rubbish")
    os.truncate(disk / "rubbish", (disk / "rubbish").stat().st_size - 8192)  # Python takes it for usable
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    run = fit(tmp_path / "run", "--checkpoints.every_n_steps=2", "--checkpoints.milestones=[2]", steps=4)
    assert checkpoint(run)["global_step"] == 4


@pytest.mark.parametrize("command", ["fit", "resume"])
def test_a_full_disk_at_the_start_is_one_line(command, disk, capfd):
    run, words = disk / "run", (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.max_steps=2")
    if command == "resume":
        fit(run, steps=2)
    filled(disk / "rubbish")
    capfd.readouterr()
    given = ("resume", run, "--trainer.max_steps=3") if command == "resume" else ("fit", *words, f"--run={run}")
    assert gan(*given) in (2, 4)
    assert "No space left" in error_line(capfd.readouterr().err.splitlines()[-1])
