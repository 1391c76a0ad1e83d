"""The launch scripts: each says when to use it, shellcheck finds nothing, and what can run here runs for real."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_support import DATA, QUIET, SMALL, TINY

from gan.runs.reader import read_run

SCRIPTS = sorted((Path(__file__).parents[1] / "scripts").glob("*.sh"))
TOOLS = Path(sys.executable).parent  # shellcheck, torchrun and gan
CPU = ("--trainer.accelerator=cpu", "--trainer.max_steps=4")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_says_its_use_and_shellcheck_finds_nothing(script):
    about = [line for line in script.read_text().splitlines()[1:6] if line.startswith("# ")]
    assert f"scripts/{script.name} " in " ".join(about), "a line that can be copied"
    assert os.access(script, os.X_OK)
    subprocess.run([TOOLS / "shellcheck", script], check=True)


@pytest.mark.slow
def test_torchrun_trains_one_run_on_two_nodes(tmp_path):
    """Both nodes are this machine, with a process each and gloo between them."""
    words = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *CPU, f"--run={tmp_path / 'run'}")
    node = {"HEAD": "127.0.0.1", "NODES": "2", "PROCESSES": "1", "PORT": "29519", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **node, "PATH": f"{TOOLS}:{os.environ['PATH']}"}
    script = next(script for script in SCRIPTS if script.name == "torchrun.sh")
    nodes = [subprocess.Popen([script, *words], env=environment, cwd=tmp_path) for _ in range(2)]
    assert [node.wait(300) for node in nodes] == [0, 0]
    run = read_run(tmp_path / "run")
    assert run.status == "finished"
    assert run.provenance[0]["processes"] == 2
