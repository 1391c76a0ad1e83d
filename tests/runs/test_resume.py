"""One law: a run that was stopped anywhere and went on is the run that was never stopped, bit for bit."""

import json
import os
import socket
from pathlib import Path
from subprocess import Popen
from typing import Any

import prepared
import pytest
from resume_support import OFTEN, law, settings
from run_support import ended, same_run, spawn
from run_support import real_statistics_once as real_statistics_once
from support import EVERY, tiny_recipe

import gan
from gan.base.errors import UserError
from gan.runs.reader import Run

TESTS = Path(__file__).parents[1]
STOPS = {"kill": (5, 2), "signal": (5, 1)}  # after a measurement whose step is done again; in an open window
STOPS_OF_TWO = {"kill": (5, 2), "callback": (5, 1)}  # they agree on a signal every 50 batches only
RULES: dict[str, dict[str, Any]] = {
    "none": {},
    "d3": {"d_steps": 3},
    "g2 shared": {"latent": "shared", "g_steps": 2},
    "d2 g3 fresh": {"latent": "fresh", "d_steps": 2, "g_steps": 3},
    "balance": {"balance": {"low": 0.4, "high": 0.6, "patience": 2}, "d_steps": 2, "g_steps": 2},
    "one-sided": {"balance": {"low": 0.0, "high": 0.0, "patience": 2}, "latent": "shared", "d_steps": 1},
    "dropout": {"discriminator": {"dropout": 0.5}},
    "pretraining": {
        "pretraining": 3,
        "ema_decay": 0.9,
        "augmentations": {"translation": {}, "instance_noise": {}},
    },
    "simultaneous": {
        "updates": "simultaneous",
        "discriminator_penalties": {"r1": {"weight": 1.0, "interval": 2}},
    },
    "epochs": {"batch_size": 1500},  # of 3,500 images: batches straddle two permutations
}


def takes(variant: str, rule: str) -> bool:
    """Whether a variant's recipe allows the rule."""
    try:
        tiny_recipe(variant, RULES[rule])
    except UserError:
        return False
    return True


EVERY_PAIR = [(variant, rule) for variant in sorted(EVERY) for rule in RULES if takes(variant, rule)]
COVERING = {  # every variant and every rule; the full product is slow
    "none": ("ACGAN", "DRAGAN"),
    "d3": ("FullResolutionDCGAN", "R3GAN"),
    "g2 shared": ("ADA", "PacGAN"),
    "d2 g3 fresh": ("DCGAN", "ConditionalGAN"),
    "balance": ("StridedDCGAN",),
    "one-sided": ("LSGAN",),
    "dropout": ("InfoGAN", "UpsamplingDCGAN"),
    "pretraining": ("BiGAN", "WGANGP"),
    "simultaneous": ("GoodfellowGAN", "SNGAN", "WGAN"),
    "epochs": ("MLPGAN",),
}
COVERING_PAIRS = [(variant, rule) for rule, variants in COVERING.items() for variant in variants]


def test_the_covering_pairs_hold_every_variant_and_every_rule():
    assert sorted(variant for variant, _ in COVERING_PAIRS) == sorted(EVERY)
    assert COVERING.keys() == RULES.keys()
    assert set(COVERING_PAIRS) <= set(EVERY_PAIR)


@pytest.mark.parametrize(("variant", "rule"), COVERING_PAIRS)
def test_a_run_that_was_killed_is_the_one_that_was_not(variant, rule, tmp_path):
    """So is one that was stopped by a signal: of the first variant under each rule."""
    law(variant, RULES[rule], STOPS if COVERING[rule][0] == variant else {"kill": STOPS["kill"]}, tmp_path)


def test_a_run_that_stopped_after_its_time_goes_on(tmp_path):
    law("MLPGAN", {}, {"time": (5, 2)}, tmp_path)


def test_a_run_that_stopped_before_its_first_step_goes_on(tmp_path):
    """What only a new run writes is not written again."""
    law("MLPGAN", {"pretraining": 3}, {"callback": (0, 2)}, tmp_path)


def test_a_run_that_was_killed_after_its_last_step_gets_its_report(tmp_path):
    law("MLPGAN", {}, {"end": (-1, 0)}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "rule"), EVERY_PAIR)
def test_every_variant_under_every_rule(variant, rule, tmp_path):
    law(variant, RULES[rule], {"kill": (7, 1), "signal": (3, 2), "callback": (6, 1)}, tmp_path)


def started(function: str, *arguments: object, **environment: object) -> Popen:
    """A process of its own that runs a function of `resume_support`."""
    code = f"import sys\nfrom resume_support import {function}\n{function}(*sys.argv[1:])"
    environment = {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS / "plugin_example")]), **environment}
    words = prepared.command(code, "", *map(str, arguments))
    return spawn(words, environment={name: str(value) for name, value in environment.items()})


def two_processes(cases: list[Any], home: Path) -> None:
    """The law for each case under two processes, as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "GROUP_RANK": 0, "TORCHELASTIC_RUN_ID": 1, "MASTER_PORT": port}
    shared |= {"MASTER_ADDR": "localhost", "CUDA_VISIBLE_DEVICES": ""}
    ranks = [started("laws", home, json.dumps(cases), **shared, RANK=rank, LOCAL_RANK=rank) for rank in (0, 1)]
    for rank in ranks:
        code, _, err = ended(rank, within=1500)
        assert code == 0, err


@pytest.mark.slow
def test_two_processes_that_were_stopped_are_those_that_were_not(tmp_path):
    two_processes([["MLPGAN", RULES["g2 shared"] | RULES["dropout"], STOPS_OF_TWO]], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("variant", sorted(EVERY))
def test_two_processes_of_every_variant_under_every_rule(variant, tmp_path):
    two_processes([[v, RULES[rule], STOPS_OF_TWO] for v, rule in EVERY_PAIR if v == variant], tmp_path)


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=(pytest.mark.slow, pytest.mark.timeout(3600)))])
def test_a_run_that_is_killed_again_and_again_is_the_one_that_was_not(kills, tmp_path, record_property):
    run, saving = Run(tmp_path / "run"), 0
    for seed in range(kills // 5):  # killed runs are forked from one process after the other
        code, out, err = ended(started("kills", run.directory, 5, seed))
        assert code == 0, err
        saving += int(out)
    record_property("killed while saving", saving)
    steps = {"max_steps": run.step + 3}
    gan.resume(run.directory, trainer=steps)
    trainer = {"accelerator": "cpu", "enable_progress_bar": False, **steps}
    given = settings("MLPGAN", {}) | OFTEN | {"checkpoints": {"every_n_steps": 0}}
    gan.fit(**given, trainer=trainer, run=tmp_path / "whole")
    same_run(tmp_path / "whole", run.directory)
