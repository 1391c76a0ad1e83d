"""The number of processes: what the trainer asks for, against the environment and the machine."""

import os

import pytest
from run_support import TINY, checkpoint, error_line, fit, gan

import gan as package
from gan.base.errors import UserError
from gan.runs.trainer import TRAINER_DEFAULTS
from gan.runs.world import processes, refuse_another_world, refuse_too_many

CPU = TRAINER_DEFAULTS | {"accelerator": "cpu"}


@pytest.mark.parametrize(
    ("devices", "nodes", "count"),
    [(1, 1, 1), ("2", 1, 2), (2, 3, 6), ([0, 1], 1, 2), ("0,1,", 2, 4), ("auto", 1, 1), (-1, 1, 1), ("many", 1, 1)],
)
def test_processes(devices, nodes, count):
    assert processes(CPU | {"devices": devices, "num_nodes": nodes}) == count


REFUSED = [
    (1, {"RANK": "1"}),
    (1, {"LOCAL_RANK": "1"}),
    (1, {"WORLD_SIZE": "2"}),
    (1, {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x"}),
    (1, {"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}),
    (1, {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "bash"}),
    (1, {"SLURM_PROCID": "3", "SLURM_JOB_NAME": "bash"}),
    (2, {"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "gan"}),
    (2, {"LOCAL_RANK": "0"}),
    (2, {"RANK": "2", "WORLD_SIZE": "2"}),
    (2, {"RANK": "-1"}),
    (2, {"WORLD_SIZE": "two"}),
]
ALLOWED = [
    (1, {}),
    (1, {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}),
    (1, {"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "gan"}),
    (1, {"SLURM_PROCID": ""}),
    (2, {"LOCAL_RANK": "1", "WORLD_SIZE": "2"}),  # as Lightning launches
    (2, {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}),
    (2, {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "gan"}),
    (2, {"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "bash"}),  # a shell on a node
    (2, {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x", "SLURM_NTASKS": "1"}),
]


def environment(monkeypatch, variables):
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("devices", "variables"), REFUSED)
def test_an_environment_of_other_processes_is_refused(devices, variables, monkeypatch):
    environment(monkeypatch, variables)
    with pytest.raises(UserError) as caught:
        refuse_another_world(CPU | {"devices": devices})
    for name, value in variables.items():
        if name not in ("SLURM_JOB_NAME", "TORCHELASTIC_RUN_ID"):
            assert f"{name}={value}" in str(caught.value)


@pytest.mark.parametrize(("devices", "variables"), ALLOWED)
def test_an_environment_of_as_many_processes_is_right(devices, variables, monkeypatch):
    environment(monkeypatch, variables)
    refuse_another_world(CPU | {"devices": devices})


def test_it_is_refused_before_a_directory_is_made_and_ignored_alone(tmp_path, monkeypatch, capsys):
    plain = fit(tmp_path / "plain", steps=2)
    environment(monkeypatch, {"RANK": "1", "LOCAL_RANK": "1", "SLURM_PROCID": "3", "SLURM_NTASKS": "4"})
    before = dict(os.environ)
    capsys.readouterr()
    run = tmp_path / "run"
    assert gan("fit", *TINY["MLPGAN"], "--data.source=embedded", f"--run={run}") == 2
    assert "SLURM_PROCID=3" in error_line(capsys.readouterr().err)
    assert not run.exists()
    fit(run, "--alone", steps=2)
    assert os.environ == before
    assert str(checkpoint(run)["state_dict"]) == str(checkpoint(plain)["state_dict"])
    assert gan("resume", run, "--trainer.max_steps=3") == 2
    assert package.resume(run, trainer={"max_steps": 3}, alone=True).step == 3
    with pytest.raises(UserError, match="--alone trains in one process, and the trainer asks for 2"):
        package.fit("mlp_gan", trainer={"devices": 2}, alone=True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--trainer.devices=100000",), "trainer.devices: 100000 are too many for this machine's"),
        (("--trainer.devices=1000000000000",), "too many"),
        (("--trainer.devices=3",), "recipe.batch_size 8 does not divide over 3 processes"),
        (("--trainer.devices=2", "--model.recipe.batch_size=9"), "recipe.batch_size 9 does not divide"),
        (("--trainer.devices=2", "--trainer.sync_batchnorm=true"), "synchronises batch norm on GPUs only"),
    ],
)
def test_too_many_devices_are_refused_before_anything_is_launched(flags, message, tmp_path, capsys):
    run = tmp_path / "run"
    assert gan("fit", *TINY["MLPGAN"], *flags, "--trainer.accelerator=cpu", f"--run={run}") == 2
    assert message in error_line(capsys.readouterr().err)
    assert not run.exists()


def test_a_core_may_have_a_process():
    refuse_too_many(CPU | {"devices": max(4, os.cpu_count() or 1)})
