"""Whole runs: what they leave behind, and that stopping and going on changes nothing."""

import json
import os
import re
import signal
import time
from dataclasses import fields

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from PIL import Image
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from run_support import (
    DATA,
    FEW,
    QUIET,
    SMALL,
    TINY,
    checkpoint,
    ended,
    error_line,
    fit,
    gan,
    rows,
    same_end,
    start,
    start_prepared,
)
from run_support import real_statistics_once as real_statistics_once

from gan.base.errors import UserError
from gan.base.notes import forget
from gan.data.datamodule import ImageDataModule
from gan.measure.protocol import Protocol
from gan.runs.callbacks.interrupt import Interrupt
from gan.variants import VARIANTS

# Steps that show in 8 bits after 6 of them: of gradients through one layer of MLPGAN's small weights.
STRIDES = ("--model.recipe.generator_optimizer.lr=1.0", "--model.recipe.discriminator.widths=[16]")
EVALUATION = ("--evaluation.every_n_steps=2", "--evaluation.num_samples=50")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run with everything on: 6 steps, evaluation and grids every 2, checkpoints every 4."""
    directory = tmp_path_factory.mktemp("measured") / "run"
    logging = ("--image_grid.every_n_steps=2", "--scalars.every_n_steps=2", "--checkpoints.every_n_steps=4")
    return fit(directory, *STRIDES, *EVALUATION, *logging, "--checkpoints.milestones=[2,5]")


# What a run leaves behind ---------------------------------------------------------------------------------------------


def test_a_run_holds_what_it_should(measured):
    present = {str(path.relative_to(measured)) for path in measured.rglob("*") if path.is_file()}
    assert {"config.yaml", "provenance.json", "metrics.jsonl", "checkpoints/last_step_0000006.ckpt"} <= present
    assert {f"checkpoints/generator_step_000000{n}.safetensors" for n in (2, 5)} <= present
    assert {f"samples/step_000000{n}.png" for n in (0, 2, 4, 6)} | {"samples/real.png"} <= present
    assert sum("last_step" in name for name in present) == 2
    assert sum("best_step" in name for name in present) == 1
    assert sorted(name.endswith(".end") for name in present if "tfevents" in name) == [False, True]
    assert not [name for name in present if name.endswith(".part")]


def test_its_provenance_says_where_the_numbers_come_from(measured):
    (entry,) = json.loads((measured / "provenance.json").read_text())
    assert entry["resumed_from"] is None
    assert entry["command"]
    commit = entry["repositories"]["gan"]["commit"]
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}\+?", commit)
    assert "uncommitted_diff" in entry["repositories"]["gan"]
    assert entry["data"]["source"] == "embedded"
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in entry["data"]["files"].values())
    assert entry["data"]["files"]


def test_its_metric_rows_carry_their_protocol(measured):
    found = rows(measured)
    assert [(row["step"], row["role"]) for row in found] == [
        (2, "selection"),
        (4, "selection"),
        (6, "selection"),
        (6, "report"),
    ]
    for row in found:
        assert {field.name for field in fields(Protocol)} <= row.keys()
        assert {"protocol", "seed", "commit", "images_seen", "fid", "fid_floor", "finite"} <= row.keys()
        assert row["seed"] == 1
        assert row["images_seen"] == 8 * row["step"]
        assert row["num_fake"] == 50
        assert row["source"] == "embedded"
        assert row["finite"] is True
        assert row["split"] == {"selection": "held-out", "report": "test"}[row["role"]]
    assert len({row["protocol"] for row in found}) == 2


def test_its_pictures_are_grids_of_digits(measured):
    for name in ("real.png", "step_0000000.png", "step_0000006.png"):
        picture = np.asarray(Image.open(measured / "samples" / name))
        assert picture.dtype == np.uint8
        assert picture.shape == (2 * 30 + 2, 10 * 30 + 2)  # 12 tiles in rows of 10
        assert picture.std() > 0
    first, last = (np.asarray(Image.open(measured / "samples" / f"step_000000{n}.png")) for n in (0, 6))
    assert (first != last).any()


def test_the_best_checkpoint_is_the_one_with_the_lowest_held_out_fid(measured):
    best = min((row for row in rows(measured) if row["role"] == "selection"), key=lambda row: row["fid"])
    assert checkpoint(measured, "best")["global_step"] == best["step"]
    assert (measured / "checkpoints" / f"best_step_{best['step']:07d}.ckpt").is_file()


def test_the_default_directory_names_config_variant_and_seed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_test.yaml").write_text("model: MLPGAN\ntrainer: {max_steps: 1}")
    words = [*TINY["MLPGAN"][1:], *SMALL, *DATA, *QUIET]
    assert gan("fit", "--config=my_test.yaml", *words, "--seed_everything=7") == 0
    assert (tmp_path / "runs/my_test/MLPGAN/seed_7/config.yaml").is_file()


@pytest.mark.parametrize(
    ("configs", "name"), [(["a", "trainer/cpu"], "a"), (["a", "b", "where"], "b"), (["trainer/cpu", "where"], "cpu")]
)
def test_the_last_config_with_a_model_names_the_run(configs, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for config in "ab":
        (tmp_path / f"{config}.yaml").write_text("model: MLPGAN")
    (tmp_path / "where.yaml").write_text("data: {source: embedded}")
    files = [config if "/" in config else f"{config}.yaml" for config in configs]
    words = [f"--config={file}" for file in files] + [*TINY["MLPGAN"], *SMALL, *DATA, *QUIET]
    assert gan("fit", *words, "--trainer.max_steps=1") == 0
    assert (tmp_path / f"runs/{name}/MLPGAN/seed_1/config.yaml").is_file()


class Failure(pl.Callback):
    """Stands for anything that goes wrong before the first batch."""

    def on_fit_start(self, trainer, pl_module):
        raise UserError("out of luck")


def test_a_run_that_failed_before_its_first_batch_is_no_dead_end(tmp_path, capsys):
    run = tmp_path / "run"
    words = ("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.max_steps=2", f"--run={run}")
    callback = f"--trainer.callbacks=[{{class_path: {__name__}.Failure}}]"

    def refused(*words: object, says: str) -> None:
        capsys.readouterr()
        assert gan(*words) == 2
        assert says in error_line(capsys.readouterr().err.splitlines()[-1])  # data may have a note

    refused(*words, callback, says="out of luck")
    assert (run / "config.yaml").is_file(), "the case at hand: the directory is made already"
    refused(*words, says="--overwrite")
    advice = f"gan fit --config {run / 'config.yaml'} --run {run} --overwrite"
    refused("resume", run, "--allow-import", __name__, says=advice)
    refused(*advice.split()[1:], "--allow-import", __name__, says="out of luck")  # it does start again
    assert gan(*words, "--overwrite") == 0
    assert checkpoint(run)["global_step"] == 2


DDP = ("--trainer.devices=2", "--trainer.accelerator=cpu", "--trainer.strategy=ddp")


@pytest.mark.parametrize(("local_rank", "node", "prepared"), [(0, 0, 1), (1, 0, 0), (0, 1, 0)])
def test_only_the_first_process_reads_the_data_before_lightning_does(
    local_rank, node, prepared, tmp_path, monkeypatch, capsys
):
    """Lightning prepares for the others, once a node."""
    calls: list[ImageDataModule] = []
    monkeypatch.setenv("LOCAL_RANK", str(local_rank))
    monkeypatch.setenv("NODE_RANK", str(node))
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    monkeypatch.setattr(ImageDataModule, "prepare_data", lambda self: calls.append(self))
    monkeypatch.setattr(pl.Trainer, "fit", lambda *_, **__: None)
    words = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *DDP, "--trainer.num_nodes=2", f"--run={tmp_path / 'run'}")
    assert gan("fit", *words) == 0
    assert len(calls) == prepared
    assert (tmp_path / "run").exists() == bool(prepared)
    assert bool(capsys.readouterr().out) == bool(prepared)


@pytest.mark.parametrize(
    ("variables", "code"), [({"LOCAL_RANK": "1"}, 0), ({"LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "1"}, 143)]
)
def test_every_process_returns_the_signals_code_but_those_that_lightning_watches(
    variables, code, tmp_path, monkeypatch, capsys
):
    """It kills the first process for any code but 0 of one that it launched."""
    launched = {**variables, "RANK": "1", "WORLD_SIZE": "2", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    for name, value in (launched | {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 0)

    def stopped(self, *_, **__):
        (interrupt,) = (callback for callback in self.callbacks if isinstance(callback, Interrupt))
        interrupt.received = signal.SIGTERM

    monkeypatch.setattr(pl.Trainer, "fit", stopped)
    words = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *DDP, f"--run={tmp_path / 'run'}")
    assert gan("fit", *words) == code
    assert capsys.readouterr().out == ""


def test_a_used_directory_is_refused_untouched_and_overwrite_replaces_it(tmp_path, capsys):
    run = fit(tmp_path / "run", steps=1)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    capsys.readouterr()
    words = ("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.max_steps=2", f"--run={run}")
    assert gan(*words) == 2
    assert "--overwrite" in error_line(capsys.readouterr().err.splitlines()[-1])
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    # A mistake elsewhere must not cost the old run.
    assert gan(*words, "--overwrite", "--model.recipe.generator.activation.slop=1") == 2
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    assert gan(*words, "--overwrite") == 0
    assert checkpoint(run)["global_step"] == 2


def test_an_unwritable_directory_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "run", "/proc/run"):
        assert gan("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, f"--run={place}") == 2
        assert "cannot write" in error_line(capsys.readouterr().err.splitlines()[-1])


@pytest.mark.parametrize("processes", [(), DDP], ids=["one process", "two"])
def test_data_that_is_not_there_makes_no_run(processes, tmp_path, capsys):
    flags = (*processes, "--data.source=idx", f"--data.root={tmp_path / 'none'}", "--trainer.max_steps=2")
    assert gan("fit", *TINY["MLPGAN"], *SMALL, *QUIET, *flags, f"--run={tmp_path / 'run'}") == 2
    assert "none" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_the_end_says_where_everything_is(tmp_path, capsys):
    run = fit(tmp_path / "run", *EVALUATION, "--image_grid.every_n_steps=6")
    captured = capsys.readouterr()
    for part in (run, run / "checkpoints/last_step_0000006.ckpt", run / "samples/step_0000006.png"):
        assert f"  {part}\n" in captured.out
    assert f"tensorboard --logdir {run}" in captured.out
    assert re.search(r"FID +\d+\.\d+ on 1000 mnist test images, embedded \(floor, real against real: \d", captured.out)


@pytest.mark.parametrize("logger", ["CSVLogger", "false"])
def test_a_run_stays_in_its_directory_whatever_the_logger(logger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = (f"--trainer.logger={logger}", "--scalars.every_n_steps=2", "--trainer.enable_progress_bar=false")
    run = fit(tmp_path / "run", *flags, "--image_grid.every_n_steps=3", *EVALUATION)
    assert checkpoint(run)["global_step"] == 6
    assert (run / "samples" / "step_0000006.png").is_file()
    assert len(rows(run)) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert gan("resume", run, "--trainer.max_steps=8") == 0
    if logger == "CSVLogger":
        table = next(run.rglob("version_0/metrics.csv")).read_text()
        assert "loss/generator" in table.splitlines()[0]
        assert "\n".join(table.splitlines()[1:]).count("\n") >= 2


# Seeds, evaluation, and going on --------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", FEW)  # and all with a bare trainer: tests/runs/callbacks/test_callbacks.py
def test_evaluation_and_logging_leave_no_trace_in_the_weights(variant, tmp_path):
    has_dropout = "dropout" in VARIANTS[variant].defaults.discriminator
    flags = ("--model.recipe.discriminator.dropout=0.3",) if has_dropout else ()
    bare = fit(tmp_path / "bare", *flags, variant=variant, steps=5)
    logging = ("--image_grid.every_n_steps=1", "--scalars.every_n_steps=1", "--checkpoints.every_n_steps=1")
    full = fit(tmp_path / "full", *flags, *EVALUATION, *logging, variant=variant, steps=5)
    same_end(bare, full)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_a_batch_of_one_works(variant, tmp_path):
    """Batch norm has enough values where maps are larger than a pixel."""
    recipe = VARIANTS[variant].defaults
    one = recipe.packing  # what D takes for one
    flags = (f"--model.recipe.batch_size={one}", *EVALUATION, "--image_grid.every_n_steps=2")
    run = fit(tmp_path / "run", *flags, variant=variant, steps=3)
    assert checkpoint(run)["ImageDataModule"]["position"] == 3 * one * recipe.d_steps
    assert all(row["finite"] for row in rows(run))


@pytest.mark.parametrize(
    ("variant", "flags"),
    [
        ("DCGAN", ["--model.recipe.generator.dense=[12]"]),
        ("DCGAN", ["--model.recipe.discriminator={norm: batch, dense: [12]}"]),
        ("StridedDCGAN", ["--model.recipe.generator.channels=[6,5,4,3,2]"]),  # a first map of one pixel
    ],
    ids=str,
)
def test_a_batch_too_small_for_batch_norm_is_refused_in_one_line(variant, flags, tmp_path, capsys):
    words = (*TINY[variant], *SMALL, *DATA, *QUIET, "--model.recipe.batch_size=1", *flags)
    assert gan("fit", *words, "--trainer.max_steps=2", f"--run={tmp_path / 'run'}") == 2
    assert "batch_size" in error_line(capsys.readouterr().err.splitlines()[-1])


def test_the_seed_decides(tmp_path):
    a, b, c = (fit(tmp_path / f"{i}", f"--seed_everything={seed}", steps=2) for i, seed in enumerate((3, 3, 4)))
    same_end(a, b)
    first, other = checkpoint(a)["state_dict"], checkpoint(c)["state_dict"]
    assert not any(torch.equal(first[name], other[name]) for name in first if name.endswith("weight"))


def test_resuming_adds_to_the_provenance(tmp_path):
    run = fit(tmp_path / "run", steps=2)
    assert gan("resume", run, "--trainer.max_steps=3") == 0
    first, second = json.loads((run / "provenance.json").read_text())
    assert first["resumed_from"] is None
    assert second["resumed_from"] == "last_step_0000002.ckpt"


def test_the_place_of_the_data_may_change(tmp_path, mnist_root):
    whole = fit(tmp_path / "whole", "--data.source=idx", f"--data.root={mnist_root}", steps=3)
    run = fit(tmp_path / "run", "--data.source=idx", f"--data.root={mnist_root}", steps=2)
    (tmp_path / "moved").symlink_to(mnist_root)
    assert gan("resume", run, "--trainer.max_steps=3", f"--data.root={tmp_path / 'moved'}") == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["root"] == str(tmp_path / "moved")
    same_end(whole, run)


def test_a_run_whose_logger_has_a_version_with_a_dot_goes_on(tmp_path):
    """Its arguments are no names of code."""
    logger = "--trainer.logger={class_path: CSVLogger, init_args: {version: v1.2}}"
    run = fit(tmp_path / "run", logger, "--scalars.every_n_steps=1", steps=2)
    assert "pythonpath" not in yaml.safe_load((run / "config.yaml").read_text())
    assert gan("resume", run, "--trainer.max_steps=3") == 0
    assert next(run.rglob("v1.2/metrics.csv")).is_file()
    same_end(fit(tmp_path / "whole", steps=3), run)


def test_a_run_of_format_1_goes_on_and_says_everything_from_then_on(tmp_path):
    removed = "--model.recipe.generator_schedules.momentum=null"
    run, file = fit(tmp_path / "run", removed, steps=2), tmp_path / "run" / "config.yaml"
    new = yaml.safe_load(file.read_text())
    old = yaml.safe_load(file.read_text())
    recipe = old["model"]["init_args"]["recipe"]
    recipe["generator_schedules"]["momentum"] = None  # how a removed key was written
    recipe["prior"] = "normal"
    del old["format"], old["trainer"]["precision"], recipe["schedules"]
    old["data"] |= {"name": "mnist", "split": None}
    file.write_text(yaml.safe_dump(old))
    assert gan("resume", run, "--trainer.max_steps=3") == 0
    new["trainer"]["max_steps"] = 3
    assert yaml.safe_load(file.read_text()) == new
    assert file.read_text().startswith("format: 2\n")
    same_end(fit(tmp_path / "whole", removed, steps=3), run)


def test_what_a_resumption_may_not_do_is_refused_in_one_line_and_changes_nothing(tmp_path, capsys):
    run = fit(tmp_path / "run", *EVALUATION, steps=2)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    def refused(*flags: object, says: str) -> None:
        capsys.readouterr()
        assert gan("resume", run, *flags) == 2
        assert says in error_line(capsys.readouterr().err)

    refused(says="done its 2 steps")
    refused("--trainer.max_steps=2", says="--trainer.max_steps N with N > 2")
    refused("--trainer.max_steps=4", "--model.recipe.prior=uniform", says="--model.recipe.prior may not change")
    refused("--trainer.max_steps=4", "--seed_everything=3", says="--seed_everything may not change")
    refused("--trainer.max_steps=4", "--data.name=mnist", says="--data.name may not change")
    refused("--trainer.max_steps=4", "--data.split=full", says="--data.split may not change")
    refused("--trainer.max_steps=4", "--run=other", says="--run may not change")
    refused("--trainer.max_steps=4", "--config=mlp_gan", says="--config may not be given")
    refused("--trainer.max_steps=abc", says="trainer.max_steps")
    refused("--trainer.max_step=4", says="did you mean 'max_steps'")
    refused("--overwrite", says="--overwrite")
    refused("--trainer.max_steps=4", "--data.root=/nowhere/at/all", says="which lie in no folder")
    refused("--trainer.max_steps=4", "--evaluation.num_samples=1", says="num_samples")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_what_is_no_run_cannot_be_resumed(tmp_path, capsys):
    for words in ((tmp_path,), (tmp_path / "none",), ("--trainer.max_steps=4",)):
        assert gan("resume", *words) == 2
        error_line(capsys.readouterr().err)


def test_a_changed_recipe_and_broken_checkpoints_are_refused(tmp_path, capsys):
    run = fit(tmp_path / "run", *EVALUATION, steps=2)
    (path,) = (run / "checkpoints").glob("last_*")
    good, config = path.read_bytes(), (run / "config.yaml").read_text()
    metrics = (run / "metrics.jsonl").read_text()

    def refused(says: str) -> None:
        capsys.readouterr()
        assert gan("resume", run, "--trainer.max_steps=4") == 2
        assert says in error_line(capsys.readouterr().err)
        assert (run / "metrics.jsonl").read_text() == metrics

    (run / "config.yaml").write_text(config.replace("name: normal", "name: uniform"))
    refused("was trained with model.recipe.prior.name 'normal'")
    for text, says in (("nonsense", "config.yaml"), ("model: MLPGAN", "not a run's"), ("format: 2", "no variant")):
        (run / "config.yaml").write_text(text)
        refused(says)
    (run / "config.yaml").write_text(config.replace("format: 2", "format: 7"))
    refused("update gan")
    (run / "config.yaml").write_text(config)
    for broken in (b"", b"text", good[: len(good) // 2], bytes(1000)):
        path.write_bytes(broken)
        refused(path.name)
    path.unlink()
    refused("last_step_*.ckpt")
    path.write_bytes(good)
    assert gan("resume", run, "--trainer.max_steps=4") == 0


def test_a_hostile_run_is_refused_before_anything_is_imported(tmp_path, capsys, monkeypatch):
    run = fit(tmp_path / "run", steps=2)
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'hacked')!r}, 'w')\n")
    config = (run / "config.yaml").read_text()
    callback = yaml.safe_load(config)
    callback["trainer"]["callbacks"] = [{"class_path": "evil.Callback"}]
    logger = yaml.safe_load(config)
    logger["trainer"]["logger"] = "evil.Logger"
    penalty = yaml.safe_load(config)
    penalty["model"]["init_args"]["recipe"]["generator_penalties"] = {"evil.l2": 1.0}
    bare = yaml.safe_load(config)
    bare["model"]["init_args"]["recipe"]["generator"]["activation"] = "evil.relu"
    data = yaml.safe_load(config)
    data["data"]["name"] = {"name": "evil.Data"}
    trees = [yaml.safe_dump(tree) for tree in (callback, logger, penalty, bare, data)]
    for text in (*trees, config.replace("name: normal", "name: evil.normal"), config.replace("gan.variants", "evil")):
        assert text != config
        (run / "config.yaml").write_text(f"pythonpath: {tmp_path}\n{text}")
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            assert gan("resume", run, "--trainer.max_steps=4") == 2
        assert "--allow-import evil" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "hacked").exists()


def test_a_hostile_run_may_not_hide_its_code_in_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = fit(tmp_path / "run", steps=2)
    (tmp_path / "evil.py").write_text("open('hacked', 'w')\n")
    (tmp_path / "innocent").write_text("- class_path: evil.Callback\n")
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["trainer"]["callbacks"] = "innocent"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    capsys.readouterr()
    assert gan("resume", run, "--trainer.max_steps=4") == 2
    assert "innocent" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "hacked").exists()


# Signals --------------------------------------------------------------------------------------------------------------

LONG = ("--trainer.max_steps=200000", "--checkpoints.every_n_steps=100")


class Signal(pl.Callback):
    """Sends this process one signal in the middle of an update."""

    number, step, sent = signal.SIGTERM, 3, False

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if trainer.global_step == self.step and optimizer is trainer.optimizers[1] and not self.sent:
            type(self).sent = True  # 002's D is updated twice, and a second signal stops at once; so is a resumed run
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ("variant", "number"),
    [("MLPGAN", signal.SIGTERM), ("WGANGP", signal.SIGINT)],  # going on is tests/runs/test_resume.py's
)
def test_a_signal_in_mid_update_finishes_it_saves_and_exits(variant, number, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(Signal, "number", number)
    monkeypatch.setattr(Signal, "sent", False)
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    run, whole = tmp_path / "run", fit(tmp_path / "whole", variant=variant, steps=7)
    words = ("fit", *TINY[variant], *SMALL, *DATA, *QUIET, "--trainer.max_steps=7", f"--run={run}")
    capfd.readouterr()
    assert gan(*words, f"--trainer.callbacks=[{{class_path: {__name__}.Signal}}]") == 128 + number
    captured = capfd.readouterr()
    assert "finishing this update" in captured.err
    stop = 4 if VARIANTS[variant].defaults.d_steps == 1 else 3  # a round's first batch has no update of G
    assert f"stopped by a signal at step {stop}; go on with: gan resume {run}" in captured.out
    assert checkpoint(run)["global_step"] == stop
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert gan("resume", run, "--allow-import", __name__) == 0
    same_end(whole, run)


@pytest.mark.parametrize("start", [start_prepared, pytest.param(start, marks=pytest.mark.slow)])
def test_ctrl_c_in_a_real_process(start, tmp_path):
    run = tmp_path / "run"
    running = start("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *LONG, f"--run={run}")
    for _ in range(600):
        if list((run / "checkpoints").glob("last_*.ckpt")):
            break
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err
    step = checkpoint(run)["global_step"]
    assert (run / "checkpoints" / f"last_step_{step:07d}.ckpt").is_file()
    assert f"stopped by a signal at step {step}; go on with: gan resume" in out
    assert gan("resume", run, f"--trainer.max_steps={step + 7}") == 0
    same_end(fit(tmp_path / "whole", steps=step + 7), run)


def test_a_second_signal_ends_at_once(tmp_path):
    run = tmp_path / "run"
    plugin = tmp_path / "slow_penalty.py"  # an update that takes for ever, so that the second signal meets it
    plugin.write_text(
        "import time\nfrom pathlib import Path\ncalls = 0\n\ndef wait(network, real, fake, labels, noise, step):\n"
        "    global calls\n    calls += 1\n    if calls > 3:\n"
        "        Path('waiting').touch()\n        time.sleep(120)\n"
        "    return real.sum() * 0\n"
    )
    penalty = "--model.recipe.discriminator_penalties={slow_penalty.wait: 1.0}"
    words = ("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *LONG, penalty, "--run=run")
    running = start_prepared(*words, cwd=tmp_path)
    for _ in range(600):
        if (tmp_path / "waiting").exists():
            break
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    assert any("finishing this update" in line for line in running.stderr)  # two pending signals would count as one
    assert running.poll() is None, "one signal lets the update finish"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "gan: interrupted" in err
    assert run.is_dir()


@pytest.mark.slow
def test_the_terminal_shows_no_noise(tmp_path):
    """Of a variant whose padding makes the graph's tracer warn."""
    words = ("fit", *TINY["StridedDCGAN"], *SMALL, *DATA, "--trainer.max_steps=4", "--run=run", *EVALUATION)
    code, out, err = ended(start(*words, "--scalars.every_n_steps=2", cwd=tmp_path))  # imports may be noisy, too
    assert code == 0
    first, second, *rest = err.splitlines()
    assert first == "gan fit: importing PyTorch and Lightning"
    assert second.startswith("mnist: the 5,000 embedded digits")
    assert [line.split()[0] for line in rest[:4]] == ["run", "data", "networks", "computes"]
    for noise in ("Warning", "deprecated", "Seed set", "litlogger", "Tip", "GPU available", "warn("):
        assert noise not in out + err
    assert len(err.replace("\r", "\n").splitlines()) < 17


# Shipped systems ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "said"),
    [("upsampling_dcgan", "THIS IS NOT notMNIST"), ("full_resolution_dcgan", "NOT THE WHOLE OF MNIST")],
)
def test_a_system_trains_on_a_bare_machine_and_says_on_what(config, said, tmp_path, monkeypatch, capsys):
    """No files, no network: mirrors at a port where nobody listens. The networks are the text's own."""
    dead = ["http://127.0.0.1:9/"]
    monkeypatch.setattr("gan.data.sources.notmnist.notmnist.MIRRORS", dead)
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", dead)
    forget()
    monkeypatch.chdir(tmp_path)
    words = ("fit", "--config", config, f"--run={tmp_path / 'run'}")
    assert gan(*words, *QUIET, "--trainer.max_steps=1", "--model.recipe.batch_size=2") == 0
    assert said.lower() in " ".join(capsys.readouterr().err.replace("|", " ").split()).lower()
    assert checkpoint(tmp_path / "run")["global_step"] == 1
