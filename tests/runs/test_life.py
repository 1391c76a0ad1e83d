"""A run's life: how it starts, stops, goes on and ends, what it says of itself, and who may write to it."""

import errno
import json
import os
import signal
from datetime import datetime
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import yaml
from run_support import DATA, QUIET, SMALL, TINY, checkpoint, error_line, fit, gan, hparams_tab, same_end, scalars

import gan as package
from gan.base.errors import UserError
from gan.runs.owner import owned
from gan.runs.reader import read_run
from gan.runs.session import ended_sessions
from gan.runs.status import FILE, read_status

WORDS = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.enable_progress_bar=false")
AT_ONCE = "--trainer.max_time=00:00:00:00"  # over after the first batch


class At(pl.Callback):
    """Does something once, before the batch after a step."""

    step, act = 2, None

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        act = type(self).act
        if trainer.global_step == self.step and act:
            type(self).act = None
            act()


@pytest.fixture
def at(monkeypatch) -> type[At]:
    """Set `act`, and give the flag ACT to a run."""
    monkeypatch.setattr(At, "act", None)
    return At


ACT = f"--trainer.callbacks=[{{class_path: {__name__}.At}}]"
ALLOW = ("--allow-import", __name__)


def tried(run: Path, *flags: object, steps: int = 6) -> int:
    """The exit code of a tiny run, which may end in any way."""
    return gan("fit", *WORDS, f"--trainer.max_steps={steps}", f"--run={run}", *flags)


def stopped(run: Path, *flags: object, steps: int = 6) -> Path:
    """A run of which one step was done."""
    assert tried(run, AT_ONCE, *flags, steps=steps) == 3
    return run


def content(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def edit(run: Path, **values: object) -> None:
    """Change the status file."""
    file = run / FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


# How it ends ------------------------------------------------------------------------------------------------------


def test_a_finished_run_says_so_and_leaves_no_lock(tmp_path):
    run = fit(tmp_path / "run", steps=3)
    assert (read_run(run).status, read_status(run).step) == ("finished", 3)
    assert not (run / "owner.json").exists()


def test_a_time_limit_is_told_and_a_resumed_run_has_it_anew(tmp_path, capsys):
    run, whole = stopped(tmp_path / "run", steps=3), fit(tmp_path / "whole", steps=3)
    assert f"stopped by trainer.max_time at step 1; go on with: gan resume {run}" in capsys.readouterr().out
    assert read_run(run).status == "stopped at 1 (time)"
    assert gan("resume", run) == 3
    assert read_run(run).status == "stopped at 2 (time)"
    assert gan("resume", run) == 0, "the last step is the end, though its time is over, too"
    assert read_run(run).status == "finished"
    same_end(whole, run)


def test_who_samples_from_a_run_that_was_stopped_is_told(tmp_path, capsys):
    for run, said in ((stopped(tmp_path / "stopped"), "stopped at 1 (time)"), (fit(tmp_path / "whole"), None)):
        capsys.readouterr()
        assert gan("sample", run, "--num=10", f"--out={tmp_path / 'grid.png'}") == 0
        assert capsys.readouterr().err == (f"note: {run}: {said}\n" if said else "")


@pytest.mark.parametrize("value", ["soon", "10:00:00:00", "{fortnights: 1}"])
def test_a_time_that_is_none_is_refused(value, tmp_path, capsys):
    assert tried(tmp_path / "run", f"--trainer.max_time={value}") == 2
    assert "trainer.max_time" in error_line(capsys.readouterr().err.splitlines()[-1])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_what_a_terminal_or_a_scheduler_sends_stops_a_run(number, tmp_path, at, capfd):
    at.act = lambda: os.kill(os.getpid(), number)
    run = tmp_path / "run"
    before = signal.getsignal(number)
    assert tried(run, ACT) == 128 + number
    assert signal.getsignal(number) is before
    assert read_run(run).status == f"stopped at 3 (signal {number.name})"
    assert f"{number.name}: finishing this update" in capfd.readouterr().err


def test_a_signal_that_was_ignored_stays_ignored(tmp_path, at):
    at.act = lambda: os.kill(os.getpid(), signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        assert tried(tmp_path / "run", ACT) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert at.act is None, "the signal was sent"


@pytest.mark.parametrize("step", [3, 6], ids=["in an epoch", "in its last batch"])
def test_a_stop_in_an_epoch_loses_none_of_its_steps(step, tmp_path, at, monkeypatch):
    """3,500 images in batches of 500: three epochs are 21 steps."""
    epochs = ("--trainer.max_epochs=3", "--model.recipe.batch_size=500")
    whole, run = fit(tmp_path / "whole", *epochs, steps=-1), tmp_path / "run"
    monkeypatch.setattr(at, "step", step)
    at.act = lambda: os.kill(os.getpid(), signal.SIGTERM)
    assert tried(run, *epochs, ACT, steps=-1) == 143
    assert checkpoint(run)["global_step"] == step + 1
    assert gan("resume", run, *ALLOW) == 0
    assert checkpoint(run)["global_step"] == 21
    same_end(whole, run)


def test_a_run_that_ended_by_epochs_is_done(tmp_path, capsys):
    epochs = ("--trainer.max_epochs=1", "--model.recipe.batch_size=1750")
    run = fit(tmp_path / "run", *epochs, steps=-1)
    assert read_run(run).status == "finished"
    capsys.readouterr()
    assert gan("resume", run) == 2
    assert "has done its 1 epochs; to go on give --trainer.max_epochs N" in error_line(capsys.readouterr().err)
    assert gan("resume", run, "--trainer.max_epochs=2") == 0
    assert checkpoint(run)["global_step"] == 4


def failing(error: Exception):
    def act():
        raise error

    return act


def test_a_failure_is_recorded_with_its_first_line(tmp_path, at):
    at.act = failing(RuntimeError("out of luck\nand of words"))
    with pytest.raises(RuntimeError):
        tried(tmp_path / "run", ACT)
    assert read_run(tmp_path / "run").status == "failed at 2 (RuntimeError: out of luck)"
    assert not (tmp_path / "run" / "owner.json").exists()


def test_a_full_disk_is_a_stop_of_its_own(tmp_path, at, capsys):
    at.act = failing(OSError(errno.ENOSPC, "No space left on device", "somewhere"))
    assert tried(tmp_path / "run", ACT) == 4
    assert "somewhere: cannot be written (No space left on device)" in error_line(
        capsys.readouterr().err.splitlines()[-1]
    )
    assert read_run(tmp_path / "run").status.startswith("stopped at 2 (disk: ")


def test_a_callback_of_ones_own_may_stop_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        At, "on_train_batch_start", lambda self, trainer, *_: setattr(trainer, "should_stop", trainer.global_step == 2)
    )
    assert tried(tmp_path / "run", ACT) == 3
    assert read_run(tmp_path / "run").status == "stopped at 3 (callback)"
    assert "stopped by a callback at step 3" in capsys.readouterr().out


def test_weights_that_are_not_finite_are_a_diverged_run(tmp_path, capsys):
    run = tmp_path / "run"
    diverging = "--model.recipe.generator_optimizer.lr=1e38"
    assert tried(run, diverging) == 5
    status = read_status(run)
    assert (status.state, status.step) == ("diverged", 6)
    assert "tensors of weights are not finite" in status.reason
    assert "diverged by step 6" in capsys.readouterr().out
    before = content(run)
    assert tried(run, diverging, "--resume") == 5
    assert content(run) == before
    assert gan("runs", tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 runs, 1 diverged"


# Once and again ---------------------------------------------------------------------------------------------------


def test_one_line_starts_goes_on_and_is_done(tmp_path, capsys):
    run, whole = tmp_path / "run", fit(tmp_path / "whole", steps=3)
    for step, code in ((1, 3), (2, 3), (3, 0)):
        assert tried(run, AT_ONCE, "--resume", steps=3) == code
        assert checkpoint(run)["global_step"] == step
    same_end(whole, run)
    before = content(run)
    capsys.readouterr()
    assert tried(run, AT_ONCE, "--resume", steps=3) == 0
    assert "done        it had finished its 3 steps before" in capsys.readouterr().out
    assert content(run) == before
    outcome = package.fit(run / "config.yaml", resume=True)
    assert (outcome.state, outcome.step, outcome.code, outcome.trained) == ("finished", 3, 0, False)
    edit(run, state="running")  # killed after its last step was saved
    assert read_run(run).status == "killed at 3"
    assert tried(run, AT_ONCE, "--resume", steps=3) == 0
    assert read_run(run).status == "finished"


def test_a_run_of_another_configuration_does_not_go_on(tmp_path, capsys):
    run = stopped(tmp_path / "run")
    before = content(run)
    for flag, says in (
        ("--seed_everything=2", "has seed_everything 1, and 2 is given; give the same, or give another --run"),
        ("--trainer.max_steps=7", f"gan resume {run} --trainer.max_steps=VALUE changes it"),
        ("--model.recipe.prior=uniform", "prior.name 'normal', and 'uniform' is given"),
    ):
        capsys.readouterr()
        assert tried(run, AT_ONCE, "--resume", flag) == 2
        assert says in error_line(capsys.readouterr().err.splitlines()[-1])
    assert tried(run, AT_ONCE, "--resume", "--overwrite") == 2
    assert content(run) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert tried(tmp_path / "mine", "--resume") == 2
    assert content(tmp_path / "mine") == {"notes.txt": b"mine"}


def test_a_run_that_came_to_no_checkpoint_starts_again(tmp_path, at):
    at.act = failing(RuntimeError("before the first checkpoint"))
    with pytest.raises(RuntimeError):
        tried(tmp_path / "run", ACT)
    assert tried(tmp_path / "run", ACT, "--resume") == 0
    assert checkpoint(tmp_path / "run")["global_step"] == 6


# One owner --------------------------------------------------------------------------------------------------------


def test_a_run_that_is_being_trained_is_nobody_elses(tmp_path, capsys):
    run = stopped(tmp_path / "run")
    with owned(run):
        before = content(run)
        edit(run, state="running")
        assert read_run(run).status == "running at 1 (time)"
        edit(run, state="stopped")
        for words in (("--resume",), ("--overwrite",), ()):
            capsys.readouterr()
            assert tried(run, AT_ONCE, *words) == 2
            assert f"process {os.getpid()} on " in error_line(capsys.readouterr().err)
        assert gan("resume", run) == 2
        assert gan("resume", run, "--trainer.max_steps=9") == 2
        assert {**content(run), FILE: b""} == {**before, FILE: b""}


def session(run):
    """How the session of a run ended, by the HPARAMS tab."""
    ((_, _, status),) = hparams_tab(run).values()
    return status.removeprefix("STATUS_").lower()


def test_a_killed_run_is_told_and_who_meets_it_ends_its_session(tmp_path, capsys):
    run = stopped(tmp_path / "run", "--scalars.every_n_steps=1")
    assert session(run) == "unknown", "a stop is neither a success nor a failure"
    ends = [lambda: gan("runs", tmp_path), lambda: gan("sample", run, "--out", tmp_path / "a.png")]
    ends += [lambda: gan("diff", run, run), lambda: gan("evaluate", run, "--num=20")]
    for meet in ends:
        edit(run, state="running", reason=None)
        for file in ended_sessions(run):
            file.unlink()
        mine = {"pid": 2**22 + 1, "host": "far", "boot": "of another machine"}
        (run / "owner.json").write_text(json.dumps(mine))
        assert read_run(run).status == "running at 1", "who cannot be seen is believed"
        assert meet() == 0
        assert not ended_sessions(run)
        (run / "owner.json").unlink()
        assert read_run(run).status == "killed at 1"
        assert meet() == 0
        assert session(run) == "failure"
        (end,) = ended_sessions(run)
        assert int(end.name.split(".")[3]) == datetime.fromisoformat(read_run(run).record.heartbeat).timestamp()
    assert gan("resume", run, "--trainer.max_time=null") == 0
    assert read_run(run).status == "finished"
    assert session(run) == "success"


def test_a_run_that_fails_has_a_session_that_failed(at, tmp_path):
    at.act = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        tried(tmp_path / "run", ACT, "--scalars.every_n_steps=1")
    assert session(tmp_path / "run") == "failure"
    assert tried(tmp_path / "run", ACT, "--scalars.every_n_steps=1", "--resume") == 0
    assert session(tmp_path / "run") == "success"


# A refusal changes nothing ----------------------------------------------------------------------------------------


def test_a_refused_resumption_changes_no_file(tmp_path, capsys):
    run = stopped(tmp_path / "run", "--scalars.every_n_steps=1")
    good = checkpoint(run)
    path = next((run / "checkpoints").glob("last_*"))
    provenance = (run / "provenance.json").read_bytes()

    def refused(says: str) -> None:
        before = content(run)
        capsys.readouterr()
        assert gan("resume", run, "--trainer.max_steps=9") == 2
        assert says in error_line(capsys.readouterr().err.splitlines()[-1])
        assert content(run) == before

    (run / "provenance.json").write_bytes(provenance[: len(provenance) // 2])
    refused("provenance.json")
    (run / "provenance.json").write_bytes(provenance)
    files = {**good["ImageDataModule"]["files"], "another.csv": "0" * 64}  # as a picture added to a folder would be
    torch.save({**good, "ImageDataModule": {**good["ImageDataModule"], "files": files}}, path)
    refused("another.csv changed")
    (run / FILE).write_text("{")
    refused(FILE)
    (run / FILE).unlink()
    torch.save(good, path)
    assert gan("resume", run, "--trainer.max_time=null") == 0
    assert sorted(scalars(run)["loss/generator"]) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints", "samples/real.png"])
@pytest.mark.parametrize("place", ["outside", "nowhere", "itself"])
def test_a_link_that_leads_out_of_a_run_is_not_written_through(name, place, tmp_path, capsys):
    run = stopped(tmp_path / "run", "--image_grid.every_n_steps=1")
    link = run / name
    if link.exists():
        link.rename(tmp_path / "outside")
    link.symlink_to({"outside": tmp_path / "outside", "nowhere": tmp_path / "nowhere", "itself": link}[place])
    before = content(tmp_path)
    capsys.readouterr()
    assert gan("resume", run, "--trainer.max_steps=9") == 2
    assert "leads out of the run" in error_line(capsys.readouterr().err)
    assert content(tmp_path) == before
    if place == "outside" and name == "checkpoints":
        link.unlink()
        (tmp_path / "outside").rename(link)
        (tmp_path / "link").symlink_to(run)  # the whole run may be elsewhere
        assert gan("resume", tmp_path / "link", "--trainer.max_time=null") == 0


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("seed_everything", {"seed_everything": 2}),
        ("seeds", {"seeds": {"init": None, "order": 5, "noise": None, "dropout": None}}),
        ("data", {"data": {"name": {"name": "mnist"}, "root": "data", "source": "embedded", "split": "full"}}),
        ("model.class_path", {"model": {"class_path": "gan.variants.lsgan.LSGAN"}}),
    ],
)
def test_what_may_not_change_may_not_be_edited_either(key, change, tmp_path, capsys):
    run = stopped(tmp_path / "run")
    file = run / "config.yaml"
    tree = yaml.safe_load(file.read_text())
    if key == "model.class_path":
        change = {"model": tree["model"] | change["model"]}
    file.write_text(yaml.safe_dump(tree | change))
    before = content(run)
    assert gan("resume", run) == 2
    line = error_line(capsys.readouterr().err.splitlines()[-1])
    assert f"was trained with {key}" in line
    assert "restore that file" in line
    assert content(run) == before


# What Lightning offers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("callbacks=[{class_path: EarlyStopping, init_args: {monitor: loss/generator}}]", "max_steps"),
        ("callbacks={class_path: StochasticWeightAveraging, init_args: {swa_lrs: 0.1}}", "ema_decay"),
        ("callbacks={class_path: GradientAccumulationScheduler, init_args: {scheduling: {0: 2}}}", "batch_size"),
        ("callbacks=EMAWeightAveraging", "ema_decay"),
        ("callbacks=LearningRateFinder", "LearningRateFinder"),
        ("callbacks=BatchSizeFinder", "batch_size"),
        ("callbacks=DeviceStatsMonitor", "generator's clock"),
        ("callbacks=LearningRateMonitor", "schedule/lr_generator"),
        ("callbacks={class_path: Timer, init_args: {duration: 00:00:01:00}}", "max_time"),
        ("plugins=AsyncCheckpointIO", "AsyncCheckpointIO"),
        ("profiler=xla", "simple"),
        ("logger=WandbLogger", "WANDB_API_KEY"),
    ],
)
def test_what_does_not_work_with_a_run_is_refused_before_there_is_one(flag, says, tmp_path, capsys, monkeypatch):
    if "Wandb" in flag:
        pytest.importorskip("wandb", reason="wandb is not installed; it is no dependency")
        monkeypatch.delenv("WANDB_API_KEY", raising=False)
        monkeypatch.delenv("WANDB_MODE", raising=False)
        monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert tried(tmp_path / "run", f"--trainer.{flag}") == 2
    assert says in error_line(capsys.readouterr().err.splitlines()[-1])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("profiler", ["simple", "{class_path: SimpleProfiler}"])
def test_a_profiler_writes_its_report_into_the_run(profiler, tmp_path, capsys):
    run = fit(tmp_path / "run", f"--trainer.profiler={profiler}", steps=2)
    assert f"profile     {run / 'fit-profile.txt'}\n" in capsys.readouterr().out
    assert "optimizer_step" in (run / "fit-profile.txt").read_text()


@pytest.mark.parametrize(("logger", "says"), [("false", "none"), ("CSVLogger", "metrics.csv"), ("true", "tensorboard")])
def test_the_end_names_the_curves_that_there_are(logger, says, tmp_path, capsys):
    run = fit(tmp_path / "run", f"--trainer.logger={logger}", "--scalars.every_n_steps=1", steps=2)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("curves"))
    assert says in line
    assert ("tensorboard" in line) == bool(list(run.rglob("*tfevents*")))
    assert not (run / "fit-profile.txt").exists()


def test_a_mistake_of_lightnings_own_is_one_line(tmp_path, monkeypatch):
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    def refuse(*_):
        raise MisconfigurationException("not like\nthis")

    monkeypatch.setattr(At, "on_fit_start", refuse, raising=False)
    with pytest.raises(UserError, match="trainer: not like this"):
        package.fit(
            model="MLPGAN",
            data={"source": "embedded"},
            trainer={"max_steps": 1, "accelerator": "cpu", "callbacks": [{"class_path": f"{__name__}.At"}]},
            run=tmp_path / "run",
        )
    assert read_run(tmp_path / "run").state == "failed"
