"""The README's first command keeps its promise, for three seeds. About 5 minutes each on two cores."""

import subprocess
import sys
from pathlib import Path

import pytest

from gan.runs.reader import read_run

ROOT = Path(__file__).resolve().parents[1]
FID_BOUND = 5.0  # of the last generator, on the 1,000 embedded test digits


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quickstart_ends_with_digits(seed, tmp_path):
    command = [
        *(sys.executable, "-m", "gan", "fit", "--config", "configs/quickstart.yaml"),
        *("--data.source=embedded", f"--seed_everything={seed}", f"--run={tmp_path}/run"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = read_run(tmp_path / "run").report
    assert (report["num_fake"], report["seed"]) == (10000, seed)
    assert report["fid"] <= FID_BOUND
    assert report["min_class_share"] >= 0.03
    assert report["median_confidence"] >= 0.9
    for said in (f"{report['fid']:.2f}", f"{report['fid_floor']:.2f}", "tensorboard --logdir", "samples", "checkpoint"):
        assert said in done.stdout
