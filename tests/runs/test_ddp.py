"""Two processes train one GAN: the same weights on both, other noise on each, one clock, one run directory."""

import json

import pytest
import torch
from run_support import DATA, QUIET, SMALL, TINY, checkpoint, fit, flags, process, rows, same_end

from gan.runs.reader import read_run

DDP = ("--trainer.devices=2", "--trainer.accelerator=cpu", "--trainer.strategy=ddp")
FLAGS = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *DDP, "--model.recipe.discriminator.dropout=0.3")
WATCH = """
import json
from pathlib import Path

import pytorch_lightning as pl
import torch


class Watch(pl.Callback):
    def on_train_start(self, trainer, module):
        module.generator.register_forward_pre_hook(self.keep)

    def keep(self, generator, inputs):
        if generator.training:  # not in evaluation, on the first rank alone
            self.latent = inputs[0]

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        images, _ = batch
        with Path(f"rank{trainer.global_rank}.jsonl").open("a") as file:
            weights = [float(p.detach().double().sum()) for p in module.parameters()]
            row = {"step": trainer.global_step, "weights": weights, "latent": self.latent[0].tolist()}
            file.write(json.dumps({**row, "images": images.sum(dim=(1, 2, 3)).tolist()}) + "\\n")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where two processes made 5 updates, with evaluation, under a callback that watches both."""
    home = tmp_path_factory.mktemp("ddp")
    (home / "watch.py").write_text(WATCH)
    words = ("--trainer.max_steps=5", "--run=run", "--trainer.callbacks=[{class_path: watch.Watch}]")
    evaluation = ("--evaluation.every_n_steps=2", "--evaluation.num_samples=20", "--image_grid.every_n_steps=5")
    code, out, err = process("fit", *FLAGS, *words, *evaluation, cwd=home, environment={"CUDA_VISIBLE_DEVICES": ""})
    assert code == 0, err
    assert out.count("checkpoint ") == 1, "both processes reported"
    return home


def watched(folder):
    return [[json.loads(line) for line in (folder / f"rank{r}.jsonl").read_text().splitlines()] for r in (0, 1)]


def test_weights_are_equal_and_the_clock_is_one(folder):
    first, second = watched(folder)
    assert [row["step"] for row in first] == [1, 2, 3, 4, 5]
    assert [row["weights"] for row in first] == [row["weights"] for row in second]
    assert checkpoint(folder / "run")["global_step"] == 5
    assert checkpoint(folder / "run")["adversarial"]["images_seen"] == 5 * 8


TOGETHER = {  # rules that have two backward passes, second derivatives, random numbers or more weights
    "loss": "relativistic_pairing",
    "updates": "simultaneous",
    "discriminator": {"norm": "none", "minibatch_stddev": True},
    "discriminator_penalties": {"gradient_penalty": 1.0, "r1": {"weight": 1.0, "interval": 2}},
    "augmentations": {"translation": {}, "instance_noise": {"std": 0.1}},
    "packing": 2,
    "ema_decay": 0.9,
}


@pytest.mark.parametrize(("variant", "change"), [("FullResolutionDCGAN", {}), ("DCGAN", TOGETHER)])
def test_several_updates_a_batch_keep_two_processes_together(variant, change, tmp_path):
    """002: D on real images, D on predicted fakes, G; batch norm's statistics are each process's own."""
    (tmp_path / "watch.py").write_text(WATCH)
    words = (*TINY[variant], *flags(change), *SMALL, *DATA, *QUIET, *DDP, "--trainer.max_steps=3", "--run=run")
    watch = "--trainer.callbacks=[{class_path: watch.Watch}]"
    code, _, err = process("fit", *words, watch, cwd=tmp_path, environment={"CUDA_VISIBLE_DEVICES": ""})
    assert code == 0, err
    first, second = watched(tmp_path)
    assert [row["step"] for row in first] == [1, 2, 3]
    assert [row["weights"] for row in first] == [row["weights"] for row in second]


def test_noise_and_images_differ(folder):
    first, second = watched(folder)
    for a, b in zip(first, second, strict=True):
        assert a["latent"] != b["latent"]
        assert len(a["images"]) == len(b["images"]) == 4  # of the 8 that the recipe asks for
        assert a["images"] != b["images"]


def test_both_processes_together_see_what_one_would(folder, tmp_path):
    from gan.data.batches import DeviceBatches
    from gan.data.datamodule import ImageDataModule

    data = ImageDataModule(source="embedded")
    data.setup()
    alone = iter(DeviceBatches(data.loaded.train, batch_size=8, seed=1, device="cpu"))
    for a, b in zip(*watched(folder), strict=True):
        sums = next(alone)[0].sum(dim=(1, 2, 3)).tolist()
        assert [*a["images"], *b["images"]] == sums[::2] + sums[1::2]


def test_one_run_directory_with_one_of_each(folder):
    run = folder / "run"
    assert [row["step"] for row in rows(run)] == [2, 4, 5]
    assert len(read_run(run).provenance) == 1
    assert sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__") == ["run"]


@pytest.mark.slow
def test_it_resumes_bit_for_bit_and_with_as_many_processes_only(folder, tmp_path):
    base = ("fit", *FLAGS)
    code, _, err = process(*base, "--trainer.max_steps=2", f"--run={tmp_path / 'parts'}", cwd=folder)
    assert code == 0, err
    code, _, err = process("resume", tmp_path / "parts", "--trainer.max_steps=3", "--trainer.devices=1", cwd=folder)
    assert code == 2
    assert "2 processes" in err
    assert "Traceback" not in err
    code, _, err = process("resume", tmp_path / "parts", "--trainer.max_steps=5", cwd=folder)
    assert code == 0, err
    a, b = checkpoint(folder / "run"), checkpoint(tmp_path / "parts")
    for key in ("state_dict", "optimizer_states"):
        assert str(a[key]) == str(b[key])
    same_end(folder / "run", tmp_path / "parts")


TORN = """
import os

import torch
from gan.data.dataset import LoadedData, Split
from gan.base.errors import UserError

OTHER_RANK, OTHER = os.environ["OTHER"].split()


class Torn:
    name, image_shape, class_names, sources, splits = "torn", (1, 28, 28), ("a", "b"), ("auto",), ("text",)

    def prepare(self, root, source):
        pass

    def load(self, root, source, split):
        other = OTHER if os.environ.get("LOCAL_RANK") == OTHER_RANK else ""
        if other == "nothing":
            raise UserError("no files here")
        grey = 9 if other else 5  # as many images on every rank
        part = Split(torch.full((64, 1, 28, 28), grey, dtype=torch.uint8), torch.arange(64) % 2)
        return LoadedData("torn", "auto", part, part, part, provenance={})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "says"),
    [
        ("1 images", "data set torn: rank 1 has 64 training images from auto (sha256 "),
        ("1 nothing", "rank 1: no files here"),
        ("2 images", None),  # there is no rank 2
    ],
)
def test_other_data_on_one_rank_is_refused_by_all(other, says, tmp_path):
    (tmp_path / "torn.py").write_text(TORN)
    flags = (*TINY["MLPGAN"], *SMALL, *QUIET, *DDP, "--data.name=torn.Torn", "--trainer.max_steps=2", "--run=run")
    environment = {"CUDA_VISIBLE_DEVICES": "", "OTHER": other}
    code, _, err = process("fit", *flags, cwd=tmp_path, environment=environment)
    errors = [line for line in err.splitlines() if "gan: error: " in line]
    assert "Traceback" not in err
    if says is None:
        assert (code, errors) == (0, [])
        return
    assert code == 2
    assert len(set(errors)) == 1, err
    assert says in errors[0]
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.slow
def test_a_batch_that_does_not_divide_is_refused(tmp_path):
    words = ("fit", *FLAGS, "--model.recipe.batch_size=9", "--trainer.max_steps=2", "--run=run")
    code, _, err = process(*words, cwd=tmp_path)
    assert code != 0
    assert "batch_size 9" in err
    assert "Traceback" not in err


def test_one_process_and_two_start_from_the_same_weights(folder, tmp_path):
    alone = fit(tmp_path / "alone", "--model.recipe.discriminator.dropout=0.3", steps=1)
    first = watched(folder)[0][0]["weights"]
    other = [float(t.double().sum()) for t in checkpoint(alone)["state_dict"].values()]
    assert torch.allclose(torch.tensor(first), torch.tensor(other), rtol=0.05, atol=0.5)
