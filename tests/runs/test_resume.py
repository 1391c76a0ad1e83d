"""One law: a run that was stopped anywhere and went on is the run that was never stopped, bit for bit."""

import random

import pytest
from resume_support import law
from run_support import real_statistics_once as real_statistics_once
from support import EVERY

STOPS = {"kill": (5, 2), "signal": (5, 1)}  # after a measurement whose step is done again; in an open window
RULES = {
    "none": {},
    "d3": {"d_steps": 3},
    "g2 shared": {"latent": "shared", "g_steps": 2},
    "d2 g3 fresh": {"latent": "fresh", "d_steps": 2, "g_steps": 3},
    "balance": {"balance": {"low": 0.4, "high": 0.6, "patience": 2}, "d_steps": 1},
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
    recipe, change = EVERY[variant].defaults, RULES[rule]
    return change.get("discriminator", {}).keys() <= recipe.discriminator.keys() and not (
        "updates" in change and recipe.discriminator_update == "real_then_fake"
    )


EVERY_PAIR = [(variant, rule) for variant in sorted(EVERY) for rule in RULES if takes(variant, rule)]
# Every variant with its own rules, and every rule with one variant of each kind of update.
COVERING = [(v, r) for v, r in EVERY_PAIR if r == "none" or v == "MLPGAN"]
COVERING += [("BiGAN", "pretraining"), ("DCGAN", "d2 g3 fresh"), ("FullResolutionDCGAN", "d3")]


@pytest.mark.parametrize(("variant", "rule"), COVERING)
def test_a_run_that_was_stopped_is_the_one_that_was_not(variant, rule, tmp_path):
    law(variant, RULES[rule], STOPS, tmp_path)
