"""The GPU check, rehearsed on the CPU: every part has its rows, and what is wrong, late or refused is said."""

import json
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import prepared
import pytest
import pytorch_lightning as pl
import torch
from run_support import ended, spawn

import gan
from gan.base.errors import UserError
from gan.variants import VARIANTS
from gan.variants.mlp_gan import MLPGAN

SCRIPTS = Path(__file__).parents[1] / "scripts"
WORDS = ["--device", "cpu", "--quick"]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import gpu_check

    return gpu_check


@pytest.fixture
def check(script, tmp_path):
    return script.Check("cpu", True, None, ["UpsamplingDCGAN"], tmp_path)


def results(path):
    return [(row["part"], row["result"]) for row in json.loads(path.read_text())["rows"]]


@pytest.mark.slow
def test_the_rehearsal_passes(tmp_path):
    out = tmp_path / "rows.json"
    code = f"import runpy, sys\nsys.path.insert(0, {str(SCRIPTS)!r})\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    words = [str(SCRIPTS / "gpu_check.py"), *WORDS, "--minutes", "3", "--out", str(out)]
    status, said, err = ended(spawn(prepared.command(code, *words), cwd=tmp_path))
    assert status == 0, said + err
    assert "0 of " in said
    content = json.loads(out.read_text())
    assert {row["part"] for row in content["rows"]} == {
        *("train", "losses", "resume", "outputs", "syncs", "one_process", "two_processes", "copies")
    }
    assert all(row["result"] in ("pass", "n/a") for row in content["rows"]), content["rows"]
    assert {part for part, result in results(out) if result != "pass"} == {"train", "losses", "resume", "syncs"}
    for row in content["rows"]:
        if row["result"] == "n/a":
            assert row["part"] == "syncs" or row["precision"] == "16-mixed"
            assert row["message"].startswith("cpu: ")
        elif (row["part"], row["precision"]) in (("losses", "32-true"), ("resume", "32-true")):
            assert row["figures"]["difference"] == 0.0
    assert content["header"]["versions"]["torch"] == torch.__version__
    assert not list(tmp_path.glob("*.part"))


class Broken(MLPGAN):
    def generator_loss(self, look):
        return super().generator_loss(look) * float("nan")


class Raising(MLPGAN):
    def generator_loss(self, look):
        raise RuntimeError("kernel\nlost")


def test_a_broken_variant_fails_and_the_others_go_on(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(VARIANTS, "Broken", Broken)
    monkeypatch.setitem(VARIANTS, "Raising", Raising)
    out = tmp_path / "rows.json"
    words = [*WORDS, "--parts", "train", "--variants", "Broken", "Raising", "MLPGAN", "--out", str(out)]
    assert script.main(words) == 1
    rows = [row for row in json.loads(out.read_text())["rows"] if row["precision"] == "32-true"]
    assert [row["result"] for row in rows] == ["fail", "error", "pass"]
    assert rows[0]["message"] == "loss/discriminator is not finite", "G's loss made its weights so"
    assert rows[0]["figures"]["last_losses"]["loss/generator"] is None, "JSON has no NaN"
    assert rows[1]["message"] == "RuntimeError: kernel lost"
    assert "fail: train Broken 32-true: loss/discriminator is not finite" in capsys.readouterr().out


def test_rows_without_time_are_cut(script, tmp_path):
    out = tmp_path / "rows.json"
    assert script.main([*WORDS, "--minutes", "0", "--out", str(out)]) == 0
    found = results(out)
    assert {part for part, _ in found} == set(script.PARTS)
    assert {result for _, result in found} == {"cut"}
    assert not json.loads(out.read_text())["header"]["minutes"]


def test_processes_without_time_are_cut(script, check):
    pair = script.Pair(check)
    check.deadline = 0.0
    with pytest.raises(script.CutError):
        pair.compare("UpsamplingDCGAN")
    assert not pair.running


SAYS = {"weights": "w", "finite": True}
FAKE_CHILD = """
import json, os, sys, time
rank, file = os.environ["NODE_RANK"], sys.argv[sys.argv.index("--out") + 1]
rows = {rows!r}
row = rows[int(rank)]
if row is not None:
    with open(file, "a") as lines:
        lines.write(json.dumps({{"variant": "UpsamplingDCGAN", "latent": rank, "images": rank, **row}}) + "\\n")
    time.sleep(60)
sys.exit("lost")
"""


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ((SAYS, SAYS), None, ""),
        ((SAYS, {**SAYS, "weights": "other"}), "FailError", "the processes have different weights"),
        ((SAYS, {**SAYS, "latent": "0"}), "FailError", "both processes have the same latent"),
        ((SAYS, {**SAYS, "finite": False}), "FailError", "a weight is not finite"),
        ((SAYS, {"error": "ValueError: no"}), "RuntimeError", "ValueError: no"),
        ((SAYS, None), "RuntimeError", "a process ended: lost"),
    ],
)
def test_what_two_processes_may_say(script, check, tmp_path, monkeypatch, rows, error, message):
    fake = tmp_path / "child.py"
    fake.write_text(FAKE_CHILD.format(rows=rows))
    monkeypatch.setattr(script, "__file__", str(fake))
    pair = script.Pair(check)
    try:
        pair.compare("UpsamplingDCGAN")
        found = (None, "")
    except Exception as failure:
        found = (type(failure).__name__, str(failure))
    finally:
        pair.stop()
    assert found == (error, message)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_16_mixed_refuses_is_what_the_check_expects(script, check, variant, monkeypatch):
    from gpu_check_parts import Watch, make, refused

    expected = refused(VARIANTS[variant].defaults, "16-mixed")
    module = make(check, variant)
    module._trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[Watch()])
    monkeypatch.setattr(pl.Trainer, "precision", "16-mixed")  # stands for a GPU's
    job = script.Job(variant, "16-mixed", partial(lambda: module.setup("fit") or {}), expected)
    result, _, message = script.outcome(job, late=False)
    assert result == ("refused" if expected else "pass")
    assert message.startswith("trainer.precision: 16-mixed" if expected else "")


def test_a_refusal_that_does_not_come_and_one_that_should_not_are_failures(script):
    def refuse():
        raise UserError("trainer.precision: no")

    assert script.outcome(script.Job("A", "16-mixed", dict, refused=True), late=False)[0] == "fail"
    assert script.outcome(script.Job("A", "32-true", refuse), late=False)[0] == "fail"


def test_waits_are_counted_inside_the_step_only(script, check, monkeypatch):
    from gpu_check_parts import count_syncs, make, train

    def wait(*_):
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)

    modes = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    module = make(check, "MLPGAN")
    monkeypatch.setattr(module, "after_step", wait)
    batches = count_syncs(module)
    monkeypatch.setattr(module, "on_train_batch_start", wait)
    train(check, module, 3)
    assert [[place.split(":")[0] for place in batch] for batch in batches] == [["test_gpu_check.py"]] * 3
    assert modes == ["warn", "default"] * 3


def test_the_package_needs_no_distribution(tmp_path):
    code = (
        "import importlib.metadata as m, sys\n"
        "def version(name): raise m.PackageNotFoundError(name)\n"
        "m.version = version\n"
        f"sys.path.insert(0, {str(SCRIPTS.parent)!r})\n"
        "import gan; print(gan.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == gan.__version__, done.stderr
