"""The number of threads: the rule, what is recorded, and what a resumption keeps."""

import pytest
import torch
from run_support import DATA, QUIET, SMALL, TINY, error_line, fit, gan
from support import tiny

from gan.base import cores
from gan.runs.reader import Run
from gan.runs.threads import threads_of
from gan.variants.mlp_gan import MLPGAN


class Trainer:
    """What the rule asks of Lightning's trainer."""

    def __init__(self, num_devices: int, num_nodes: int = 1) -> None:
        self.num_devices, self.world_size = num_devices, num_devices * num_nodes


def mlp(batch_size: int) -> MLPGAN:
    """MLPGAN has 0.7 GFLOP of forward passes at batch 128."""
    return MLPGAN(MLPGAN.defaults.merged({"batch_size": batch_size}))


@pytest.mark.parametrize(
    ("usable", "free", "processes", "batch_size", "threads"),
    [
        (2, 2.0, 1, 128, 2),  # idle
        (2, 1.1, 1, 128, 1),  # a busy neighbour
        (2, 0.0, 1, 128, 2),  # all cores busy: two threads get two shares of the time
        (1, 0.0, 1, 128, 1),
        (2, 2.0, 2, 128, 1),  # two processes share the cores
        (8, 8.0, 1, 128, 2),  # a small network on a large machine
        (64, 64.0, 1, 128, 2),
        (8, 8.0, 1, 4096, 8),
        (64, 64.0, 1, 4096, 64),
        (64, 40.2, 1, 4096, 40),
        (64, 64.0, 4, 4096, 16),
        (64, 0.3, 1, 4096, 2),
        (64, 64.0, 1, 16, 1),
    ],
)
def test_the_rule(usable, free, processes, batch_size, threads, monkeypatch):
    """Machines of other sizes cannot exist here."""
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(cores, "usable", lambda: usable)
    monkeypatch.setattr(cores, "free", lambda: free)
    assert threads_of(None, mlp(batch_size), Trainer(processes)).number == threads


def test_what_is_said_goes_before_the_rule(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads_of(None, tiny("MLPGAN"), Trainer(1)).number == 3
    assert threads_of(5, tiny("MLPGAN"), Trainer(1)).number == 5


def test_threads_are_recorded_kept_and_restored(tmp_path, capsys):
    run = fit(tmp_path / "run", "--threads=2", steps=2)
    assert torch.get_num_threads() == 1
    assert Run(run).config["threads"] == 2
    assert "2 threads (as given)" in capsys.readouterr().err
    assert gan("resume", run, "--trainer.max_steps=3") == 0
    assert "in place of" not in capsys.readouterr().err
    again = ("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.max_steps=3", f"--run={run}", "--resume")
    assert gan(*again) == 0  # no count is given: the recorded one
    capsys.readouterr()
    assert gan(*again, "--threads=1") == 2
    assert f"gan resume {run} --threads=VALUE changes it" in error_line(capsys.readouterr().err)
    assert gan("resume", run, "--trainer.max_steps=4", "--threads=1") == 0
    assert f"{run}: 1 threads in place of 2, so that it does not go on bit for bit" in capsys.readouterr().err
    assert Run(run).config["threads"] == 1
    assert [entry["threads"] for entry in Run(run).provenance] == [2, 2, 1]


def test_the_environments_number_is_the_default(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    run = fit(tmp_path / "run", steps=1)
    assert Run(run).config["threads"] == Run(run).provenance[0]["threads"] == 2


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "true", "2000", "[1]"])
def test_a_number_that_is_none_is_refused(value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gan("fit", *TINY["MLPGAN"], f"--threads={value}") == 2
    assert "threads must be a whole number from 1 to 1024" in error_line(capsys.readouterr().err)
