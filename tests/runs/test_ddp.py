"""Two processes train one GAN: the same weights on both, other noise on each, one clock, one run directory."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from unittest.mock import patch

import prepared
import pytest
import torch
from run_support import DATA, QUIET, SMALL, TINY, checkpoint, ended, error_line, gan, process, rows, same_end, spawn
from run_support import start as started
from support import EVERY, Replay, same, tiny, train, weights
from two_processes import CASES, FLAGS, MEASURED, Watch

from gan.base.seeds import Seeds
from gan.base.streams import Streams
from gan.data.batches import DeviceBatches
from gan.data.datamodule import ImageDataModule
from gan.parts.networks import dropout
from gan.parts.networks.layers import has_batch_statistics
from gan.runs.reader import read_run

SCRIPT = Path(__file__).parents[1] / "two_processes.py"
LAUNCH = ("--trainer.devices=2", "--trainer.accelerator=cpu", "--trainer.strategy=ddp")
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where two processes have written what they drew, saw and became, and trained by `gan fit` and `gan resume`."""
    home = tmp_path_factory.mktemp("ddp")
    path = os.pathsep.join([*filter(None, sys.path)])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(29500 + os.getpid() % 1000), "WORLD_SIZE": "2"}
    common |= {"PYTHONPATH": path, **NO_GPU}
    code = "import runpy, sys\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    command = prepared.command(code, str(SCRIPT), str(home))
    both = [spawn(command, environment=common | {"RANK": str(r), "LOCAL_RANK": str(r)}) for r in range(2)]
    ends = [ended(running) for running in both]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert sum(out.count("checkpoint ") for _, out, _ in ends) == 3, "both processes reported"
    return home


@pytest.fixture(scope="module")
def ranks(folder):
    return [torch.load(folder / f"rank{rank}.pt", weights_only=False) for rank in range(2)]


def pairs(ranks):
    """Of every case what the two processes told."""
    return {case: (ranks[0]["told"][case], ranks[1]["told"][case]) for case in CASES}


def test_weights_are_equal_and_the_clock_is_one(ranks):
    assert set(EVERY) < set(CASES)
    for case, (first, second) in pairs(ranks).items():
        assert first["step"] == second["step"] == 2
        assert len(first["weights"]) == len(second["weights"])
        for a, b in zip(first["weights"], second["weights"], strict=True):
            assert a.keys() == b.keys()
            assert all(torch.equal(a[name], b[name]) for name in a), case


def test_moving_statistics_are_those_of_the_whole_batch(ranks):
    """They are in checkpoints, in the generator that is measured, and in what a frozen D computes."""
    shared = set()
    for case, (first, second) in pairs(ranks).items():
        for a, b in zip(first["buffers"], second["buffers"], strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a), case
            shared |= {name for name in a if not torch.equal(a[name], first["before"].get(name, a[name]))}
    for network in ("generator", "discriminator", "average"):
        assert any(name.startswith(network) and name.endswith("running_var") for name in shared), network


def test_noise_and_masks_differ(ranks):
    for case, (first, second) in pairs(ranks).items():
        assert first["latents"]
        for name in ("latents", "masks"):
            assert len(first[name]) == len(second[name])
            assert not any(torch.equal(a, b) for a, b in zip(first[name], second[name], strict=True)), (case, name)
        assert not torch.equal(first["global"], second["global"])
    assert ranks[0]["told"]["dropped"]["masks"]


def test_shards_are_disjoint_and_cover_what_one_process_sees(ranks):
    """The images and labels of both are those of one process, each once; that process goes through the whole set."""
    data = ImageDataModule(source="embedded")
    data.setup()
    for case, (first, second) in pairs(ranks).items():
        replacement = EVERY[CASES[case][0]].defaults.sampling == "replacement"
        alone = iter(DeviceBatches(data.loaded.train, 8, seed=0, device="cpu", replacement=replacement))
        for a, b in zip(first["images"], second["images"], strict=True):
            for mine, others, whole in zip(a, b, next(alone), strict=True):
                assert len(mine) == len(others) == 4, case
                assert torch.equal(mine, whole[::2])
                assert torch.equal(others, whole[1::2])


def joined(parts):
    """Masks of both processes as one process draws them: of 4 images each, or of 4 real ones and then 4 fakes."""
    halves = [part.split(4) for part in parts]
    return torch.cat([half for pair in zip(*halves, strict=True) for half in pair])


def test_one_process_makes_the_same_first_update(ranks):
    """With latents and masks of both, where no image depends on its batch and nothing else is drawn.

    Gradients are compared, since Adam makes a whole step even of those that are rounding errors.
    """
    compared = []
    for case, (first, second) in pairs(ranks).items():
        module = tiny(*CASES[case])
        drawn = module.recipe.augmentations or module.recipe.discriminator_penalties.keys() - {"r1", "r2", "l2"}
        if any(map(has_batch_statistics, module.children())) or drawn:
            continue
        latents, masks = (map(join, zip(first[key], second[key], strict=True))
                          for key, join in (("latents", torch.cat), ("masks", joined)))  # fmt: skip
        assert same(weights(module), first["before"])  # initial weights are those of one process
        module.draw = lambda num, latents=latents: next(latents)
        batches = [tuple(map(torch.cat, zip(a, b, strict=True)))
                   for a, b in zip(first["images"], second["images"], strict=True)]  # fmt: skip
        watch = Watch()
        with patch.object(dropout, "drop_mask", lambda *arguments, masks=masks: next(masks)):
            train(module, 2, watch, batches=Replay(batches))
        for ours, theirs in zip(watch.told["gradients"][:2], first["gradients"][:2], strict=True):
            assert ours.keys() == theirs.keys()
            for name, gradient in ours.items():
                assert (gradient - theirs[name]).norm() <= 1e-3 * theirs[name].norm() + 1e-6, (case, name)
        compared.append(case)
    assert {"MLPGAN", "dropped", "R3GAN", "GoodfellowGAN"} <= set(compared)


@pytest.mark.parametrize("case", MEASURED)
def test_evaluation_by_two_equals_that_of_one(ranks, case):
    one, two = ranks[0]["rows"][case]
    assert one.keys() == two.keys()
    for field, value in one.items():
        near = pytest.approx(value, rel=1e-6, abs=1e-6, nan_ok=True) if isinstance(value, float | list) else value
        assert two[field] == near
    assert ranks[1]["rows"][case][1]["frechet fid"] == two["frechet fid"]


def test_where_one_process_fails_all_do(ranks):
    assert ranks[0]["failed"] == "OSError: no space left"
    assert ranks[1]["failed"] == "UserError: rank 0: OSError: no space left"


def test_one_run_directory_with_one_of_each_and_resumes_bit_for_bit(folder):
    whole, parts = folder / "whole", folder / "parts"
    assert [row["step"] for row in rows(whole)] == [2, 4, 5]
    assert checkpoint(whole)["adversarial"]["images_seen"] == 5 * 8
    assert [entry["processes"] for entry in read_run(whole).provenance] == [2]
    same_end(whole, parts)
    measured = {row["step"]: row["fid"] for row in rows(parts)}
    assert all(measured[row["step"]] == row["fid"] for row in rows(whole))


def test_another_number_of_processes_goes_on_only_when_asked_for(folder, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(folder / "whole", run)
    before = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    alone = ("--trainer.devices=1", "--trainer.strategy=auto", "--evaluation.every_n_steps=0")
    resume = ("resume", run, *alone, "--trainer.max_steps=7")
    assert gan(*resume) == 2
    line = error_line(capsys.readouterr().err)
    assert "written by 2 processes" in line
    assert "--other-world-size" in line
    assert before == {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert gan(*resume, "--other-world-size") == 0
    entries = read_run(run).provenance
    assert [entry["processes"] for entry in entries] == [2, 1]
    assert "processes_before" not in entries[0]
    assert entries[1]["processes_before"] == 2
    assert checkpoint(run)["ImageDataModule"]["position"] == 7 * 8  # the data order goes on where it was
    assert len(checkpoint(run)["adversarial"]["streams"]["noise"]) == 1
    assert gan("resume", run, "--trainer.max_steps=8") == 0  # and then as usual
    assert "processes_before" not in read_run(run).provenance[2]


def test_streams_of_other_processes_are_new():
    device, seeds = torch.device("cpu"), Seeds.of(1, None)
    names = [(rank, *anew) for rank in range(3) for anew in ((), (100,), (200,))]
    noise = [Streams(seeds, name[0], device, *name[1:]).noise.initial_seed() for name in names]
    assert len(set(noise)) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [1, 0])
def test_a_lost_rank_ends_the_job_in_one_line(victim, tmp_path):
    words = (*TINY["MLPGAN"], *SMALL, *DATA, *QUIET, *LAUNCH, "--trainer.max_steps=1000000", "--run=run")
    words = (*words, "--checkpoints.every_n_steps=5", "--trainer.enable_progress_bar=false")
    first = started("fit", *words, cwd=tmp_path, environment=NO_GPU)
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children")
    end = time.monotonic() + 200
    while not list(tmp_path.glob("run/checkpoints/last_step_*.ckpt")) and time.monotonic() < end:
        time.sleep(0.2)
    (second,) = map(int, children.read_text().split())
    os.kill(second if victim else first.pid, signal.SIGKILL)
    code, _, err = ended(first)  # standard error is read until both have ended
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("gan: ")]
    assert len(lines) == 1, err
    assert f"rank {victim} of 2 was lost" in lines[0]
    assert code == (1 if victim else -signal.SIGKILL)


@pytest.mark.slow
def test_torchrun_launches_it(tmp_path):
    """After `--`, since torchrun takes `--run` before it for one of its own options."""
    torchrun, command = (str(Path(sys.executable).with_name(name)) for name in ("torchrun", "gan"))
    launch = [torchrun, "--nproc_per_node=2", "--no-python", "--", command, "fit", *FLAGS, "--trainer.max_steps=2"]
    code, _, err = ended(spawn([*launch, "--run=run"], cwd=tmp_path, environment=NO_GPU))
    assert code == 0, err
    assert read_run(tmp_path / "run").provenance[0]["processes"] == 2


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
        return LoadedData("torn", "auto", part, part, part)
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
    flags = (*TINY["MLPGAN"], *SMALL, *QUIET, *LAUNCH, "--data.name=torn.Torn", "--trainer.max_steps=2", "--run=run")
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
