"""What is imported, by real processes: nothing that a command does not need."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_support import DATA, QUIET, SMALL, TINY, ended, fit, spawn

HEAVY = ("scipy", "torchvision", "matplotlib", "sklearn", "pandas")
CALLBACK = f"""
import sys
import pytorch_lightning as pl

class Uses(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        assert not set({HEAVY!r}) & sys.modules.keys(), "before torchmetrics is imported"
        import torchmetrics.utilities
        assert torchmetrics.utilities.data.dim_zero_cat and torchmetrics.metric.Metric
        from torchmetrics.classification import BinaryAccuracy
        import torchmetrics
        assert torchmetrics.functional and torchmetrics.MeanMetric
        base = pl.trainer.connectors.logger_connector.result.Metric
        assert issubclass(BinaryAccuracy, base) and torchmetrics.Metric is base
        accuracy = BinaryAccuracy()
        accuracy(outputs["scalars"]["loss/generator"][None] * 0 + 1, (batch[1][:1] * 0 + 1))
        pl_module.log("mine", accuracy.compute())
        assert accuracy.plot()
        print("used", trainer.callback_metrics)
        trainer.should_stop = True
"""


@pytest.mark.slow
def test_a_run_imports_no_more_of_torchmetrics_than_lightning_needs_until_a_callback_does(tmp_path):
    (tmp_path / "mine.py").write_text(CALLBACK)
    words = ("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.max_steps=9", "--run=run", "--threads=1")
    command = [sys.executable, "-m", "gan", *words, "--trainer.callbacks=mine.Uses"]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MPLBACKEND": "Agg"}
    code, out, err = ended(spawn(command, cwd=tmp_path, environment=paths))
    assert code == 3, err  # a callback stopped it
    assert "used" in out
    lines = err.splitlines()
    assert lines[0] == "gan fit: importing PyTorch and Lightning"
    said = {line.split()[0]: line for line in lines if line}
    assert str(tmp_path / "run") in said["run"]
    assert "mnist, embedded: 3,500 images of 1x28x28" in said["data"]
    assert "MLPGAN: D " in said["networks"]
    assert "on cpu, 1 thread (as given), precision 32-true" in said["computes"]


EARLY = """
import resource, sys
class Torch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            used = resource.getrusage(resource.RUSAGE_SELF)
            assert used.ru_utime + used.ru_stime < 0.6, used
            raise SystemExit(9)
sys.meta_path.insert(0, Torch())
from gan.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(("rank", "alone", "says"), [("", (), 1), ("0", (), 1), ("1", (), 0), ("1", ("--alone",), 1)])
def test_the_first_line_comes_before_torch_and_from_the_first_process(rank, alone, says, tmp_path):
    environment = os.environ | ({"LOCAL_RANK": rank} if rank else {})
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", EARLY, "fit", "--config=quickstart", *alone]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 9, done.stderr
    assert done.stderr == "gan fit: importing PyTorch and Lightning\n" * says


SAMPLE = """
import json, sys
from gan.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        assert not end.code
assert not {"pytorch_lightning", "lightning_fabric", "torchmetrics", "torchvision"} & sys.modules.keys()
"""


def test_sampling_needs_no_lightning(tmp_path):
    run = fit(tmp_path / "run", "--checkpoints.milestones=[1]", steps=1, variant="ConditionalGAN")
    (snapshot,) = (run / "checkpoints").glob("*.safetensors")
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    commands = [["sample", str(s), "--num=4", f"--out={tmp_path / f'{n}.png'}"] for n, s in enumerate((run, snapshot))]
    commands += [["sample", str(run), "--num=4", f"--out={tmp_path / 'folder'}"]]
    code, _, err = ended(spawn([sys.executable, "-c", SAMPLE, json.dumps(commands)], environment=paths))
    assert code == 0, err
    assert Path(tmp_path / "0.png").read_bytes() == Path(tmp_path / "1.png").read_bytes()
