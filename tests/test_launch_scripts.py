"""The launch scripts: what each starts, with stand-ins for commands that need GPUs, a cluster or several machines."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_support import DATA, QUIET, SMALL, TINY

from gan.runs.reader import read_run

SCRIPTS = Path(__file__).parents[1] / "scripts"
STANDINS = ("gan", "ray", "torchrun")
ECHO = '#!/usr/bin/env bash\necho "$(basename "$0")" "$@"\n'
SRUN = '#!/usr/bin/env bash\n"$@"\nexit ${CODE:-0}\n'
ARRAY = {"SLURM_ARRAY_JOB_ID": "40", "SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "2"}
ARRAY |= {"SLURM_ARRAY_TASK_COUNT": "8"}


def launched(tmp_path: Path, script: str, *words: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of a script that finds stand-ins, which print what they are called with."""
    for name in (*STANDINS, "scontrol", "srun"):
        (tmp_path / name).write_text(SRUN if name == "srun" else ECHO)
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
    command = ["bash", str(SCRIPTS / script), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.sh")))
def test_shellcheck_finds_nothing(script):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed here")
    subprocess.run(["shellcheck", SCRIPTS / script], check=True)


@pytest.mark.parametrize(
    ("script", "words", "variables", "starts"),
    [
        ("gpus.sh", ["all", "--config=a"], {}, "gan fit --config=a --config trainer/multi_gpu --resume"),
        ("gpus.sh", ["each", "a"], {"PER_GPU": "4"}, "gan sweep a --config trainer/gpu --per-gpu 4"),
        ("slurm_array.sh", ["a"], ARRAY, "gan sweep a --shard 3/8"),
        ("ray.sh", ["head"], {}, "ray start --head --port=6379"),
        ("ray.sh", ["join"], {"HEAD": "one"}, "ray start --address=one:6379"),
        ("ray.sh", ["sweep", "a"], {}, "gan sweep a --executor ray --set address=auto"),
        ("ray.sh", ["stop"], {}, "ray stop"),
        (
            "torchrun.sh",
            ["--run=DIR"],
            {"HEAD": "one", "NODES": "2", "GPUS": "4"},
            "torchrun --nnodes=2 --nproc_per_node=4 --rdzv_id=gan --rdzv_backend=c10d --rdzv_endpoint=one:29500 "
            "--no-python -- gan fit --run=DIR --trainer.devices=4 --trainer.num_nodes=2 --resume",
        ),
    ],
)
def test_a_script_starts(script, words, variables, starts, tmp_path):
    assert launched(tmp_path, script, *words, **variables) == (0, f"{starts}\n")


@pytest.mark.parametrize(("script", "words"), [("gpus.sh", []), ("ray.sh", ["begin"]), ("torchrun.sh", [])])
def test_a_script_says_what_it_lacks(script, words, tmp_path):
    code, said = launched(tmp_path, script, *words)
    assert code != 0
    assert "usage:" in said or "HEAD" in said


def test_a_job_of_an_array_is_requeued_after_its_signal_alone(tmp_path):
    assert "scontrol" not in launched(tmp_path, "slurm_array.sh", "a", **ARRAY, CODE="1")[1]
    code, said = launched(tmp_path, "slurm_array.sh", "a", **ARRAY, CODE="138")
    assert (code, said.splitlines()[-1]) == (138, "scontrol requeue 40_4")


@pytest.mark.slow
def test_torchrun_starts_two_processes(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HEAD": "localhost", "NODES": "1", "GPUS": "2", "PORT": "29611"}
    flags = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.accelerator=cpu", "--trainer.max_steps=4")
    command = ["bash", str(SCRIPTS / "torchrun.sh"), *flags, f"--run={tmp_path / 'run'}"]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=500)
    run = read_run(tmp_path / "run")
    assert (run.status, run.provenance[0]["processes"]) == ("finished", 2)
