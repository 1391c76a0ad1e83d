"""`scripts/slurm.sh` in a simulated allocation: stand-ins for `srun`, `scontrol` and `sbatch`, and the real `gan`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from run_support import DATA, QUIET, SMALL, TINY, checkpoint, same_end
from run_support import fit as whole_run

from gan.runs.reader import read_run

SCRIPT = Path(__file__).parents[1] / "scripts" / "slurm.sh"
# Options of `sbatch` that the script uses: value is a pattern of what it takes (`sbatch --test-only` cannot run here).
OPTIONS = {
    **{"job-name": r"\w+", "nodes": r"\d+", "gpus-per-node": r"\d+", "ntasks-per-node": r"\d+"},
    **{"cpus-per-task": r"\d+", "time": r"\d+:\d\d:\d\d", "signal": r"(B:)?[A-Z0-9]+@\d+"},
    **{"requeue": None, "open-mode": "append|truncate"},
}
# A signal in the middle of training, as SLURM sends it before the time limit; only in the first allocation.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
if [[ -z ${SLURM_RESTART_COUNT:-} ]]; then
  "$@" & task=$!
  until ls "$RUN"/checkpoints/last_step_* > /dev/null 2>&1; do sleep 0.1; kill -0 $task || break; done
  kill -USR1 $task; wait $task
else
  "$@"
fi
"""
REQUEUE = '#!/usr/bin/env bash\necho "$@" >> requeued\n'


def test_the_directives_are_ones_that_sbatch_knows():
    lines = SCRIPT.read_text().splitlines()
    commands = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
    found = [line for line in lines[: commands[0]] if line.startswith("#SBATCH")]
    assert found == [line for line in lines if line.startswith("#SBATCH")], "sbatch reads none after a command"
    for line in found:
        name, _, value = line.removeprefix("#SBATCH --").partition("=")
        pattern = OPTIONS[name]
        assert value == "" if pattern is None else re.fullmatch(pattern, value), line
    assert "#SBATCH --requeue" in found


@pytest.mark.slow
def test_a_job_is_requeued_until_it_is_finished(tmp_path):
    (tmp_path / "bin").mkdir()
    for name, text in (("srun", SRUN), ("scontrol", REQUEUE)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    job = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    environment = {**os.environ, **job, "PATH": path, "RUN": str(tmp_path / "run"), "OMP_NUM_THREADS": "1"}
    cpu = ("--trainer.accelerator=cpu", "--trainer.devices=1", "--trainer.strategy=auto")
    flags = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *cpu, "--checkpoints.every_n_steps=5", "--trainer.max_steps=60")
    slow = "--model.recipe.batch_size=3500"  # so that the signal finds it training

    def allocation(**variables: str) -> int:
        command = ["bash", str(SCRIPT), *flags, slow, f"--run={tmp_path / 'run'}"]
        done = subprocess.run(command, env={**environment, **variables}, cwd=tmp_path, capture_output=True, text=True)
        print(done.stdout, done.stderr)
        return done.returncode

    assert allocation() == 138
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    assert re.fullmatch(r"stopped at \d+ \(signal SIGUSR1\)", read_run(tmp_path / "run").status)
    assert allocation(SLURM_RESTART_COUNT="1") == 0
    assert read_run(tmp_path / "run").status == "finished"
    assert checkpoint(tmp_path / "run")["global_step"] == 60
    same_end(whole_run(tmp_path / "whole", slow, steps=60), tmp_path / "run")
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
