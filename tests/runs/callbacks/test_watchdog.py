"""The watchdog in real runs: what it marks, where it says so, how it stops a run, and that it moves nothing."""

import json
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from run_support import (
    DATA,
    QUIET,
    SMALL,
    TINY,
    checkpoint,
    ended,
    equal,
    error_line,
    fit,
    gan,
    same_end,
    scalars,
    start,
)
from support import tiny, train, weights

from gan.base.errors import UserError
from gan.runs.callbacks.watchdog import Watchdog
from gan.runs.reader import read_run
from gan.runs.status import MAX_ALARMS, Alarm, kept

DEAD = "--model.recipe.generator_weights={name: normal, std: 100}"
WATCH = ("--watchdog.every_n_steps=2", "--trainer.enable_progress_bar=false")


def tried(run: Path, *flags: object, steps: int = 10) -> int:
    words = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *WATCH, f"--trainer.max_steps={steps}", f"--run={run}", *flags)
    return gan("fit", *words)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run whose G is dead from the start, with its curves."""
    return fit(tmp_path_factory.mktemp("dead") / "run", DEAD, *WATCH, "--scalars.every_n_steps=2", steps=12)


def test_a_dead_generator_is_marked_where_one_looks(whole, capsys):
    (alarm,) = read_run(whole).alarms
    assert (alarm.sign, alarm.step, alarm.over) == ("dead", 8, None), "the fourth check is the third that compares"
    assert "100.0% of G's pixels" in alarm.reason
    assert read_run(whole).state == "finished", "nothing was stopped"
    assert scalars(whole)["watchdog/dead"] == {8: 1.0}
    assert gan("runs", whole.parent) == 0
    assert "finished; dead since 8" in capsys.readouterr().out
    assert gan("runs", whole.parent, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["alarms"] == [alarm.to_dict()]


def test_it_says_so_once_and_stops_if_asked(tmp_path, capsys):
    run = tmp_path / "run"
    assert tried(run, DEAD, "--watchdog.stop=true", steps=40) == 6
    said = capsys.readouterr()
    assert [line for line in said.err.splitlines() if line.startswith("warning: step 8: dead: 100.0% of G's pixels")]
    assert f"stopped by the watchdog at step 8; go on with: gan resume {run} --watchdog.stop=false" in said.out
    assert "watchdog    dead since 8" in said.out
    assert read_run(run).status == "stopped at 8 (watchdog: dead)"
    assert gan("resume", run) == 6, "an alarm that stands stops it at the next check"
    assert read_run(run).status == "stopped at 10 (watchdog: dead)"
    assert gan("resume", run, "--watchdog.stop=false", "--trainer.max_steps=12") == 0
    assert [str(alarm) for alarm in read_run(run).alarms] == ["dead since 8"]
    assert tried(tmp_path / "end", DEAD, "--watchdog.stop=true", steps=8) == 0, "the end comes first"


def test_a_run_that_diverged_is_told_from_when_and_stopped_as_diverged(tmp_path):
    run = tmp_path / "run"
    assert tried(run, "--model.recipe.generator_optimizer.lr=1e30", "--watchdog.stop=true") == 5
    record = read_run(run).record
    assert (record.state, record.step) == ("diverged", 2)
    assert [(alarm.sign, alarm.step) for alarm in record.alarms] == [("nan", 2)]
    assert "tensors of weights are not finite" in record.alarms[0].reason


def test_a_resumed_run_has_the_alarms_of_one_that_was_not_stopped(whole, tmp_path):
    run = fit(tmp_path / "run", DEAD, *WATCH, "--scalars.every_n_steps=2", steps=7)
    assert read_run(run).alarms == ()
    before = checkpoint(run)["callbacks"]["Watchdog"]
    assert before["rows"] == {"dead": 2}
    assert gan("resume", run, "--trainer.max_steps=12") == 0
    (alarm,) = read_run(run).alarms
    assert (alarm.sign, alarm.step) == ("dead", 10), "a check has nothing to compare with after a start"
    assert equal(checkpoint(run)["callbacks"]["Watchdog"]["norms"], checkpoint(whole)["callbacks"]["Watchdog"]["norms"])
    assert gan("resume", run, "--trainer.max_steps=14", "--watchdog.every_n_steps=0") == 0
    assert read_run(run).alarms == (alarm,), "a run keeps what was seen"


def test_a_run_ends_in_the_same_weights_with_it_and_without_it(tmp_path):
    change = ("--model.recipe.discriminator.dropout=0.5",)
    seen, unseen = (fit(tmp_path / str(n), *change, f"--watchdog.every_n_steps={n}", steps=5) for n in (1, 0))
    same_end(seen, unseen)


def test_each_copy_of_a_pack_has_its_own_alarms(tmp_path, capsys):
    place = tmp_path / "runs"
    assert tried(place, DEAD, "--copies=2", "--scalars.every_n_steps=2", steps=8) == 0
    said = capsys.readouterr().err
    for seed in (1, 2):
        assert [str(alarm) for alarm in read_run(place / f"seed_{seed}").alarms] == ["dead since 8"]
        assert f"warning: seed_{seed}: step 8: dead" in said
        assert scalars(place / f"seed_{seed}")["watchdog/dead"] == {8: 1.0}
    assert tried(tmp_path / "others", "--copies=2", "--watchdog.stop=true") == 2
    assert "watchdog.stop is for one run" in error_line(capsys.readouterr().err.splitlines()[-1])


class Poison(pl.Callback):
    """Makes G's weights NaN before some checks, and restores them afterwards."""

    def __init__(self, steps):
        self.steps, self.cure, self.kept = steps, Cure(self), None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step in self.steps:
            self.kept = weights(pl_module)
            next(pl_module.generator.parameters()).data.fill_(torch.nan)


class Cure(pl.Callback):
    def __init__(self, poison):
        self.poison = poison

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.poison.kept:
            pl_module.load_state_dict(self.poison.kept)
            self.poison.kept = None


def test_an_alarm_that_ends_is_kept_as_over(capsys):
    watchdog, poison = Watchdog(every_n_steps=1), Poison({2, 4, 8})
    train(tiny("MLPGAN"), 10, poison, watchdog, poison.cure)
    assert [str(alarm) for alarm in watchdog.alarms] == ["nan 2 to 7", "nan since 8"], "it takes three checks to end"
    said = capsys.readouterr().err
    assert "note: step 7: no longer nan" in said
    assert said.count("warning: step ") == 2


@pytest.mark.parametrize("junk", [{"0": 3}, {"0": {"sign": "x"}}, {"0": {"sign": "x", "step": -1, "reason": ""}}])
def test_alarms_of_a_checkpoint_that_are_none_are_refused(junk):
    with pytest.raises(UserError, match=r"callbacks\.Watchdog\.alarms: an alarm must"):
        Watchdog().load_state_dict({"alarms": junk, "rows": {}, "norms": {}})


@pytest.mark.parametrize("flag", ["--watchdog.every_n_steps=-1", "--watchdog.stop=perhaps", "--watchdog.halt=true"])
def test_what_it_does_not_take_is_refused(flag, tmp_path, capsys):
    assert tried(tmp_path / "run", flag) == 2
    assert "watchdog." in error_line(capsys.readouterr().err.splitlines()[-1])
    assert not (tmp_path / "run").exists()


def test_a_full_status_forgets_what_is_over_first():
    over = [Alarm("dead", step, "", step + 1) for step in range(MAX_ALARMS)]
    standing = Alarm("nan", 0, "")
    assert kept([standing, *over]) == [standing, *over[1:]]


@pytest.mark.slow
def test_two_processes_stop_together(tmp_path):
    launch = ("--trainer.devices=2", "--trainer.accelerator=cpu")
    words = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *WATCH, *launch, DEAD, "--watchdog.stop=true")
    words = (*words, "--trainer.max_steps=40", "--run=run")
    code, _, err = ended(start("fit", *words, cwd=tmp_path, environment={"CUDA_VISIBLE_DEVICES": ""}))
    assert code == 6, err
    assert err.count("step 8: dead") == 1
    assert read_run(tmp_path / "run").status == "stopped at 8 (watchdog: dead)"
