"""Every callback with a bare `pl.Trainer`, no command line: what it writes, where, and at which step."""

import io
import json
import math
import os
import re
import signal

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.plugins.precision import MixedPrecision
from run_support import checkpoint, hparams_tab, images, rows, scalars
from run_support import real_statistics_once as real_statistics_once
from support import tiny, weights
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard._pytorch_graph import graph

from gan.base.errors import DiskError, UserError
from gan.data.datamodule import ImageDataModule
from gan.data.sources.mnist import read_embedded
from gan.measure.measurement import Measurement, to_json
from gan.runs.callbacks import scalars as callback
from gan.runs.callbacks.checkpoints import Checkpoints
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.hyperparameters import Hyperparameters, flatten
from gan.runs.callbacks.image_grid import ImageGrid
from gan.runs.callbacks.interrupt import Interrupt
from gan.runs.callbacks.progress import Progress
from gan.runs.callbacks.scalars import Scalars
from gan.runs.checkpoint import read_checkpoint
from gan.variants import VARIANTS

TAGS = {
    f"{part}_{player}" for part in ("schedule/lr", "schedule/momentum") for player in ("generator", "discriminator")
}
TAGS |= {f"{part}/{player}" for part in ("loss", "gradient_norm") for player in ("generator", "discriminator")}
TAGS |= {f"{part}/{side}" for part in ("probability", "accuracy") for side in ("real", "fake")}
TAGS |= {"throughput/steps_per_second", "throughput/images_per_second", "images_seen"}


@pytest.fixture(scope="module")
def data():
    module = ImageDataModule(source="embedded")
    module.setup()
    return module.loaded


def train(directory, steps, *callbacks, variant="MLPGAN", change=None, module=None, **settings):
    """Train with a bare trainer and the package's data; the trainer and the module."""
    module = module or tiny(variant, change)
    if "logger" not in settings:
        settings["logger"] = TensorBoardLogger(directory, name="", version="", default_hp_metric=False)
    trainer = pl.Trainer(
        max_steps=steps,
        max_epochs=settings.pop("max_epochs", -1),
        accelerator="cpu",
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, Checkpoints) for callback in callbacks),
        enable_progress_bar=any(isinstance(callback, Progress) for callback in callbacks),
        callbacks=list(callbacks),
        default_root_dir=directory,
        **settings,
    )
    trainer.fit(module, datamodule=ImageDataModule(source="embedded"))
    return trainer, module


class Losses(pl.Callback):
    """Keeps what each batch returned."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append((trainer.global_step, {tag: float(value) for tag, value in outputs["scalars"].items()}))


ROUNDS = [{}, {"d_steps": 3}, {"g_steps": 2}, {"d_steps": 2, "g_steps": 2, "latent": "fresh"}]
every_round = pytest.mark.parametrize("change", ROUNDS, ids=str)


@every_round
def test_scalars_are_means_at_multiples_of_n(change, tmp_path):
    losses = Losses()
    train(tmp_path, 7, losses, Scalars(every_n_steps=2), change=change)
    found = scalars(tmp_path)
    assert found.keys() >= TAGS
    for tag in TAGS:
        assert list(found[tag]) == [2, 4, 6], tag
        assert all(math.isfinite(value) for value in found[tag].values()), tag
    for tag in ("loss/generator", "loss/discriminator", "probability/real", "accuracy/fake"):
        for step in (2, 4, 6):
            # The batches between two writings: those after the one that ended step - 2, up to the one that ended step.
            last = max(i for i, (at, out) in enumerate(losses.seen) if at == step and "loss/generator" in out)
            before = [i for i, (at, out) in enumerate(losses.seen) if at == step - 2 and "loss/generator" in out]
            window = losses.seen[max(before) + 1 if before else 0 : last + 1]
            values = [out[tag] for _, out in window if tag in out]
            if values:
                assert found[tag][step] == pytest.approx(np.mean(values), rel=1e-5), (tag, step)


def test_schedules_and_gradient_norms_are_those_of_the_update(tmp_path):
    change = {"generator_optimizer": {"lr": 0.5}, "generator_schedules": {"lr": {"factor": 2.0}}}

    class Norms(pl.Callback):
        def __init__(self):
            self.seen = []

        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            if optimizer is trainer.optimizers[0]:
                squares = [float(p.grad.double().square().sum()) for p in pl_module.generator.parameters()]
                self.seen.append(math.sqrt(sum(squares)))

    norms = Norms()
    train(tmp_path, 4, norms, Scalars(every_n_steps=2), change=change)
    found = scalars(tmp_path)
    assert found["schedule/lr_generator"] == {2: 0.25, 4: 0.0625}  # the second update has decayed once
    assert found["schedule/momentum_generator"][4] == pytest.approx(0.5 + 0.2 * 3 / 250)
    for step in (2, 4):
        assert found["gradient_norm/generator"][step] == pytest.approx(norms.seen[step - 1], rel=1e-4)
    assert found["images_seen"] == {2: 16, 4: 32}


def gradient_norms(directory, **settings):
    train(directory, 1, Scalars(every_n_steps=1), **settings)
    return {tag: values[1] for tag, values in scalars(directory).items() if tag.startswith("gradient_norm/")}


def test_gradient_norms_are_free_of_the_loss_scale(tmp_path):
    """The package's optimizers are fused, and so unscale in their step, after the hook that measures."""
    plain = gradient_norms(tmp_path / "plain")
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaled = gradient_norms(tmp_path / "scaled", plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    assert plain.keys() == {"gradient_norm/generator", "gradient_norm/discriminator"}
    assert scaled == pytest.approx(plain, rel=0.05)


def test_gradient_norms_that_lightning_unscaled_stay(tmp_path):
    class Unfused(pl.Callback):
        def on_train_start(self, trainer, pl_module):
            for optimizer in trainer.optimizers:
                optimizer._step_supports_amp_scaling = False
                for group in optimizer.param_groups:
                    group["fused"] = False

    plain = gradient_norms(tmp_path / "plain")
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    settings = {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]}
    train(tmp_path / "scaled", 1, Unfused(), Scalars(every_n_steps=1), **settings)
    found = scalars(tmp_path / "scaled")
    assert {tag: found[tag][1] for tag in plain} == pytest.approx(plain, rel=0.05)


def test_scalars_that_are_off_sum_nothing(tmp_path):
    off = Scalars(every_n_steps=0)
    _, module = train(tmp_path, 3, off)
    off.on_train_batch_end(None, module, None, None, 0)  # it does not even look at what the step returned
    assert not any("loss" in tag for tag in scalars(tmp_path))


def test_a_layout_puts_both_losses_in_one_chart(tmp_path):
    train(tmp_path, 1, Scalars(every_n_steps=1))
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert "custom_scalars__config__" in events.Tags()["tensors"]
    assert events.Tags()["graph"]


def test_networks_of_one_kind_are_traced_once(tmp_path, monkeypatch):
    """PyTorch keeps megabytes of each trace for ever, so that a process of many runs would grow."""
    traced = []
    monkeypatch.setattr(callback, "GRAPHS", {})
    monkeypatch.setattr(callback, "graph", lambda *inputs: traced.append(inputs) or graph(*inputs))
    for name, change in (("a", {}), ("b", {}), ("c", {"latent_dim": 3})):
        train(tmp_path / name, 1, Scalars(every_n_steps=1), change=change)
    assert len(traced) == 2
    graphs = [EventAccumulator(str(tmp_path / name)).Reload().Graph() for name in "abc"]
    assert graphs[0] == graphs[1] != graphs[2]


def test_grids_show_fixed_noise_at_multiples_of_n_and_at_the_end(tmp_path):
    change = {"generator_optimizer": {"lr": 1.0}, "generator_schedules": {"lr": None}}
    _, module = train(tmp_path / "a", 5, ImageGrid(every_n_steps=2, num_images=12), change=change)
    train(tmp_path / "b", 5, ImageGrid(every_n_steps=2, num_images=12), module=tiny("MLPGAN", change, seed=9))
    names = sorted(path.name for path in (tmp_path / "a" / "samples").iterdir())
    assert names == ["real.png", *(f"step_{step:07d}.png" for step in (0, 2, 4, 5))]
    assert images(tmp_path / "a") == {"samples/real": [0], "samples/raw": [0, 2, 4, 5]}
    last = np.asarray(Image.open(tmp_path / "a" / "samples" / "step_0000005.png"))
    expected = module.sampler().sample(12, purpose="image grid")
    assert np.array_equal(last[2:30, 2:30], expected[0, 0].numpy())
    real = [(tmp_path / run / "samples" / "real.png").read_bytes() for run in "ab"]
    assert real[0] == real[1], "the same real images in every run"


@every_round
def test_checkpoint_names_clock_and_logger_agree(change, tmp_path):
    class Trail(pl.Callback):
        def __init__(self):
            self.names = set()

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            self.names |= {path.name for path in (tmp_path / "checkpoints").glob("last_*")}

    trail = Trail()
    trainer, module = train(
        tmp_path, 7, trail, Checkpoints(every_n_steps=2, milestones=[3, 7, 50]), Scalars(1), change=change
    )
    assert trainer.global_step == 7
    trail.on_train_batch_end(trainer, module, None, None, 0)
    assert trail.names == {f"last_step_{step:07d}.ckpt" for step in (2, 4, 6, 7)}
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "generator_step_0000003.safetensors",
        "generator_step_0000007.safetensors",
        "last_step_0000006.ckpt",
        "last_step_0000007.ckpt",
    ]
    assert checkpoint(tmp_path)["global_step"] == 7
    assert list(scalars(tmp_path)["loss/generator"]) == [1, 2, 3, 4, 5, 6, 7]


def test_without_a_cadence_the_end_is_saved_still(tmp_path):
    train(tmp_path, 3, Checkpoints(every_n_steps=0))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last_step_0000003.ckpt"]


@pytest.mark.parametrize("ends", [{}, {"max_epochs": 1, "limit_train_batches": 3}], ids=["max_steps", "max_epochs"])
def test_the_end_is_saved_before_the_report_that_fails(ends, tmp_path, monkeypatch):
    evaluation = Evaluation(every_n_steps=50, num_samples=20)
    monkeypatch.setattr(Measurement, "rows", lambda *_, **__: pytest.fail("the report failed"))
    with pytest.raises(pytest.fail.Exception, match="the report failed"):
        train(tmp_path, -1 if ends else 3, evaluation, Checkpoints(every_n_steps=2), **ends)
    assert checkpoint(tmp_path)["global_step"] == 3


class Flipping(TorchCheckpointIO):
    """A disk that changes a bit of what it is given after the first file."""

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        super().save_checkpoint(checkpoint, path)
        if checkpoint["global_step"] > 2:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 4
            path.write_bytes(content)


def test_a_checkpoint_that_reads_back_damaged_stops_the_run_and_takes_no_other_away(tmp_path):
    with pytest.raises(DiskError, match=r"last_step_0000004.ckpt: reads back other than it was written"):
        train(tmp_path, 6, Checkpoints(every_n_steps=2), plugins=[Flipping()])
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last_step_0000002.ckpt"]
    assert read_checkpoint(tmp_path / "checkpoints" / "last_step_0000002.ckpt")["global_step"] == 2


def test_the_new_checkpoint_is_synced_before_the_old_one_goes(tmp_path, monkeypatch):
    folder, trail = tmp_path / "checkpoints", []

    def sync(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        trail.append((os.path.basename(path), sorted(p.name for p in folder.glob("last_*.ckpt"))))

    monkeypatch.setattr(os, "fsync", sync)
    train(tmp_path, 6, Checkpoints(every_n_steps=2))
    first, second, third = (f"last_step_000000{step}.ckpt" for step in (2, 4, 6))
    assert trail == [
        (f"{first}.part", []),
        ("checkpoints", [first]),
        (f"{second}.part", [first]),
        ("checkpoints", [first, second]),
        (f"{third}.part", [first, second]),
        ("checkpoints", [first, second, third]),
    ]
    assert sorted(path.name for path in folder.iterdir()) == [second, third]


def test_what_a_crashed_save_left_goes_with_the_next(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last_step_0000001.ckpt.part").touch()
    train(tmp_path, 2, Checkpoints(every_n_steps=2))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last_step_0000002.ckpt"]


def test_processes_agree_on_saving_without_looking_at_the_disk(tmp_path):
    """Each process sees another state of the disk while the first one writes."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last_step_0000003.ckpt").touch()
    train(tmp_path, 3, Checkpoints(every_n_steps=0))
    assert checkpoint(tmp_path)["global_step"] == 3


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_evaluation_measures_without_a_trace(variant, tmp_path):
    change = {"discriminator": {"dropout": 0.4}} if "dropout" in VARIANTS[variant].defaults.discriminator else {}
    torch.manual_seed(5)
    _, bare = train(tmp_path / "a", 4, variant=variant, change=change)
    callbacks = (Evaluation(2, num_samples=30), Scalars(1), ImageGrid(1, 4), Hyperparameters(), Checkpoints(2))
    torch.manual_seed(5)
    _, full = train(tmp_path / "b", 4, *callbacks, variant=variant, change=change)
    before, after = weights(bare), weights(full)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [(row["step"], row["role"]) for row in rows(tmp_path / "b")] == [
        (2, "selection"),
        (4, "selection"),
        (4, "report"),
    ]
    found = scalars(tmp_path / "b")
    assert list(found["metric/fid"]) == [2, 4]
    assert list(found["metric_test/fid"]) == [4]
    assert found["metric/fid"][2] == pytest.approx(rows(tmp_path / "b")[0]["fid"], rel=1e-5)


def test_evaluation_of_nothing_needs_no_data(tmp_path):
    train(tmp_path, 2, Evaluation(every_n_steps=0))
    assert not (tmp_path / "metrics.jsonl").exists()


def test_evaluation_takes_its_own_images_and_asks_for_some(data, tmp_path):
    images, labels = read_embedded()
    batch = torch.as_tensor(images[:8]).view(8, 1, 28, 28), torch.as_tensor(labels[:8]).long()
    loader = torch.utils.data.DataLoader([batch] * 4, batch_size=None)
    settings = {"max_steps": 2, "logger": False, "enable_model_summary": False, "enable_progress_bar": False}
    settings |= {"enable_checkpointing": False, "default_root_dir": tmp_path, "accelerator": "cpu"}
    evaluation = Evaluation(2, num_samples=20, data=data)
    pl.Trainer(**settings, callbacks=[evaluation]).fit(tiny("MLPGAN"), loader)
    assert [row["step"] for row in rows(tmp_path)] == [2, 2]
    assert evaluation.report == {**evaluation.report, "role": "report"}
    with pytest.raises(UserError, match="data"):
        pl.Trainer(**settings, callbacks=[Evaluation(2, num_samples=20)]).fit(tiny("MLPGAN"), loader)


def test_a_diverged_generator_is_recorded_and_training_goes_on(tmp_path):
    class Diverge(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if trainer.global_step == 2:
                with torch.no_grad():
                    next(pl_module.generator.parameters()).fill_(math.nan)

    trainer, _ = train(tmp_path, 6, Diverge(), Evaluation(2, num_samples=20), Checkpoints(2), Scalars(2))
    assert trainer.global_step == 6
    found = rows(tmp_path)  # by a reader that refuses NaN
    assert [(row["step"], row["finite"]) for row in found] == [(2, True), (4, False), (6, False), (6, False)]
    assert [row["fid"] is None for row in found] == [False, True, True, True]
    assert [path.name for path in (tmp_path / "checkpoints").glob("best_*")] == ["best_step_0000002.ckpt"]


def test_two_runs_compare_in_the_hparams_tab(tmp_path):
    priors = {"a": "normal", "b": {"name": "uniform", "bound": 2.0}}
    for run, prior in priors.items():
        train(tmp_path / run, 2, Hyperparameters(), Scalars(1), Evaluation(2, 20), change={"prior": prior})
    tab = hparams_tab(tmp_path)
    assert tab.keys() == {"a", "b"}
    for run, (values, metrics, status) in tab.items():
        shared = {"variant": "MLPGAN", "batch_size": 8, "source": "embedded", "generator.widths": "[24, 24]"}
        assert values == {**values, **shared, "prior": {"a": "normal", "b": "uniform"}[run]}
        assert ("prior.bound" in values) == (run == "b")
        assert status == "STATUS_UNKNOWN", "only gan.fit knows how a run ended"
        assert "hp_metric" not in metrics
        written = scalars(tmp_path / run)
        assert (
            metrics["metric_test/fid"]
            == written["metric_test/fid"][2]
            == pytest.approx(rows(tmp_path / run)[-1]["fid"])
        )
        assert metrics["loss/generator"] == written["loss/generator"][2]
    assert tab["a"][1]["metric_test/fid"] != tab["b"][1]["metric_test/fid"]


def test_flatten_gives_a_choices_name_to_its_path():
    tree = {
        "prior": {"name": "uniform", "bound": 1},
        "balance": None,
        "widths": [1],
        "schedules": {"lr": {"name": "x"}},
    }
    assert dict(flatten(tree)) == {"prior": "uniform", "prior.bound": 1, "widths": "[1]", "schedules.lr": "x"}


def test_progress_shows_updates_losses_and_fid(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(
        "gan.runs.callbacks.progress.tqdm", lambda **s: __import__("tqdm").tqdm(**s | {"mininterval": 0})
    )
    train(tmp_path, 6, Progress(), Evaluation(2, num_samples=20), Scalars(2), change={"d_steps": 2})
    line = stream.getvalue().replace("\r", "\n").strip().splitlines()[-1]
    assert "6/6" in line
    assert re.search(r"D=\d", line)
    assert re.search(r"G=\d", line)
    assert re.search(r"FID=\d", line)
    assert re.search(r"floor=\d", line)


@every_round
def test_the_csv_logger_gets_the_same_numbers_at_the_same_steps(change, tmp_path):
    train(tmp_path, 4, Scalars(2), change=change, logger=CSVLogger(tmp_path, flush_logs_every_n_steps=1))
    lines = next(tmp_path.rglob("metrics.csv")).read_text().splitlines()
    header = lines[0].split(",")
    assert set(header) >= TAGS | {"step"}
    assert [line.split(",")[header.index("step")] for line in lines[1:]] == ["2", "4"]


def test_every_callback_works_without_a_logger(tmp_path):
    callbacks = (Evaluation(2, num_samples=20), Scalars(2), ImageGrid(2, 4), Hyperparameters(), Checkpoints(2))
    trainer, _ = train(tmp_path, 4, *callbacks, logger=False)
    assert len(rows(tmp_path)) == 3
    assert float(trainer.callback_metrics["metric/fid"]) > 0
    assert (tmp_path / "checkpoints" / "last_step_0000004.ckpt").is_file()


def test_offline_wandb_gets_the_same_numbers_and_pictures(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed; it is no dependency")
    from pytorch_lightning.loggers import WandbLogger

    monkeypatch.setenv("WANDB_SILENT", "true")
    board = TensorBoardLogger(tmp_path, name="", version="", default_hp_metric=False)
    wandb = WandbLogger(save_dir=tmp_path, offline=True)
    logged, pictures = {}, {}  # tag -> step -> value

    def log(run, values, **_):
        step = values["trainer/global_step"]
        for tag, value in values.items():
            if tag.startswith("samples/"):
                pictures.setdefault(tag, {})[step] = [np.asarray(image.image) for image in value]
            elif tag != "trainer/global_step":
                logged.setdefault(tag, {})[step] = pytest.approx(value, rel=1e-6, nan_ok=True)

    monkeypatch.setattr(type(wandb.experiment), "log", log, raising=False)
    callbacks = (Scalars(2), ImageGrid(2, 4), Hyperparameters(), Evaluation(2, num_samples=20))
    train(tmp_path, 4, *callbacks, logger=[board, wandb])
    wandb.experiment.finish()
    assert {tag: list(steps) for tag, steps in logged.items() if "/fid" in tag} == {
        "metric/fid": [2, 4],
        "metric/fid_floor": [2, 4],
        "metric_test/fid": [4],
        "metric_test/fid_floor": [4],
    }
    assert logged.keys() >= TAGS
    assert scalars(tmp_path) == logged
    assert {tag: list(steps) for tag, steps in pictures.items()} == {"samples/real": [0], "samples/raw": [0, 2, 4]}
    for step, (picture,) in pictures["samples/raw"].items():
        png = np.asarray(Image.open(tmp_path / "samples" / f"step_{step:07d}.png"))
        assert np.array_equal(picture, png)


class Kill(pl.Callback):
    """Sends this process SIGINT at one step of one hook."""

    def __init__(self, hook, step):
        self.step = step
        setattr(self, hook, self._kill)

    def _kill(self, trainer, *_):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("hook", "at", "received", "end"),
    [
        ("on_train_batch_end", 2, signal.SIGINT, 2),
        ("on_train_batch_end", 4, None, 4),  # the last step is done
        ("on_train_end", 4, None, 4),  # as in the final evaluation
    ],
)
def test_a_signal_stops_only_a_run_that_is_not_complete(hook, at, received, end, tmp_path):
    interrupt, evaluation = Interrupt(), Evaluation(50, num_samples=20)
    trainer, _ = train(tmp_path, 4, Kill(hook, at), evaluation, interrupt)
    assert (interrupt.received, trainer.global_step) == (received, end)
    assert (evaluation.report is None) == (received is not None)


def test_the_signal_handler_writes_past_a_busy_stream(monkeypatch, capfd):
    class Busy(io.StringIO):
        def write(self, text):
            raise RuntimeError("reentrant call")

    monkeypatch.setattr("sys.stderr", Busy())
    interrupt = Interrupt()
    interrupt.on_train_start(None, None)
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        interrupt.on_train_end(None, None)
    assert "SIGTERM: finishing this update, then saving" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Scalars(-1), "scalars.every_n_steps"),
        (lambda: Scalars(1.5), "scalars.every_n_steps"),
        (lambda: ImageGrid(True), "image_grid.every_n_steps"),
        (lambda: ImageGrid(1, 0), "image_grid.num_images"),
        (lambda: Evaluation(1, 1), "evaluation.num_samples"),
        (lambda: Checkpoints("5"), "checkpoints.every_n_steps"),
        (lambda: Checkpoints(1, [0]), "checkpoints.milestones"),
    ],
)
def test_a_cadence_that_cannot_be_is_refused_by_name(build, says):
    with pytest.raises(UserError, match=says):
        build()


def test_a_row_is_json_whatever_happens():
    row = {"fid": math.nan, "floor": math.inf, "step": 3, "share": [0.5], "name": "x"}
    text = json.loads(to_json(row), parse_constant=lambda word: pytest.fail(word))
    assert text == {"fid": None, "floor": None, "step": 3, "share": [0.5], "name": "x"}
