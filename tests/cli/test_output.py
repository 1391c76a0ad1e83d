"""Streams that are closed, whose reader leaves, or that know few letters do not stop the work."""

import os
import subprocess
import sys

import pytest
from run_support import DATA, QUIET, SMALL, TINY

GAN = f"{sys.executable} -m gan"
FIT = " ".join(
    ["fit", *(f"'{word}'" for word in (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.max_steps=2", "--run=run"))]
)


def shell(command, folder, **environment):
    """A command of bash, whose exit code is that of the first program in a pipe."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1", **environment},
        timeout=240,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("streams", "environment"),
    [("2>&-", {}), (">&- 2>&- <&-", {}), ("2>&1 | true", {"PYTHONUNBUFFERED": "1"})],
    ids=["stderr closed", "all closed", "no reader"],
)
def test_a_run_goes_on(streams, environment, tmp_path):
    done = shell(f"{GAN} {FIT} {streams}", tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert (tmp_path / "run" / "checkpoints" / "last_step_0000002.ckpt").is_file()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"{GAN} --help | true", ""),
        (f"{GAN} --help | head -n 1", "usage: gan COMMAND [options]\n"),
        (f"{GAN} new --help", "usage: gan new"),
    ],
)
def test_a_command_ends_quietly(command, says, tmp_path):
    done = shell(command, tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(says)
