"""Every accepted override of a recipe's field changes the networks or the first updates."""

import functools

import pytest
import torch
from support import EVERY, same, tiny, tiny_recipe, train, weights

RAMP = {"name": "linear_ramp", "final": 0.0, "updates": 2}
OVERRIDES = [
    {"generator": {"activation": "tanh"}},
    {"generator": {"activation": {"slope": 0.1}}},
    {"generator": {"widths": [20, 24]}},
    {"generator": {"output": "tanh"}},
    {"discriminator": {"activation": "sigmoid"}},
    {"discriminator": {"widths": [16, 12]}},
    {"discriminator": {"dropout": 0.5}},
    {"discriminator": {"input_dropout": 0.5}},
    {"latent_dim": 5},
    {"generator_weights": {"bound": 1.0}},
    {"generator_weights": {"name": "normal", "std": 1.0}},
    {"generator_weights": "glorot_uniform"},
    {"generator_weights": "keep"},
    {"generator_biases": {"value": 0.0}},
    {"discriminator_weights": {"bound": 1.0}},
    {"discriminator_weights": {"name": "truncated_normal", "std": 0.04}},
    {"discriminator_biases": {"value": 0.0}},
    {"prior": "uniform"},
    {"prior": {"name": "uniform", "bound": 2.0}},
    {"loss": "minimax"},
    {"generator_penalties": {"l2": 0.8}},
    {"discriminator_penalties": {"l2": 0.8}},
    {"generator_optimizer": {"lr": 0.5}},
    {"generator_optimizer": {"momentum": 0.9}},
    {"generator_optimizer": {"name": "adam", "lr": 1e-3}, "generator_schedules": {"momentum": None}},
    {"discriminator_optimizer": {"lr": 0.5}},
    {"discriminator_optimizer": {"momentum": 0.9}},
    {"discriminator_optimizer": {"name": "tensorflow_adam"}, "discriminator_schedules": {"momentum": None, "lr": None}},
    {"generator_schedules": {"lr": {"factor": 2.0}}},
    {"generator_schedules": {"lr": {"minimum": 0.1}}},
    {"generator_schedules": {"lr": None}},
    {"generator_schedules": {"momentum": RAMP}},
    {"generator_schedules": {"momentum": None}},
    {"discriminator_schedules": {"lr": {"factor": 2.0}}},
    {"discriminator_schedules": {"momentum": {"final": 0.0}}},
    {"discriminator_schedules": {"momentum": {"updates": 10}}},
    {"batch_size": 4},
    {"latent": "fresh"},
    {"d_steps": 2},
    {"g_steps": 2},
    {"balance": {"low": 0.9, "high": 1.0}},
    {"balance": {"low": 0.0, "high": 1.0}, "d_steps": 2},
    {"discriminator_update": "real_then_fake"},
    {"updates": "simultaneous"},
    {"pretraining": 2},
    {"weight_clip": 0.004},
    {"schedules": {"weight_clip": {"name": "linear_ramp", "final": 0.004, "updates": 2}}},
    {"loss": {"real_label": 0.9}, "schedules": {"loss": {"real_label": RAMP | {"final": 0.5}}}},
    {
        "discriminator_penalties": {"r1": 0.0},
        "schedules": {"discriminator_penalties": {"r1": {"weight": RAMP | {"final": 9.0}}}},
    },
    {"loss": {"real_label": 0.9}},
    {"loss": "hinge"},
    {"loss": "relativistic_average"},
    {"discriminator_penalties": {"r1": 1.0}},
    {"discriminator_penalties": {"r1": {"weight": 1.0, "interval": 2}}},
    {"discriminator_penalties": {"gradient_penalty": {"weight": 1.0, "target": 0.5}}},
    {"augmentations": {"translation": {}}},
    {"augmentations": {"instance_noise": {"std": 0.1, "updates": 100}}},
    {"packing": 2},
    {"generator_biases": {"value": 0.0}, "discriminator_biases": {"value": 0.0}},
    {"prior": "spherical"},
    {"discriminator": {"norm": "spectral"}},
]
CONVOLUTIONAL_OVERRIDES = [
    {"generator": {"channels": [8, 5]}},
    {"generator": {"dense": [12]}},
    {"generator": {"activation": "tanh"}},
    {"discriminator": {"channels": [5, 8]}},
    {"discriminator": {"dense": [12]}},
    {"discriminator": {"norm": "none"}},
    {"discriminator": {"norm": "spectral"}},
    {"discriminator": {"dropout": 0.3}},
    {"generator_optimizer": {"beta1": 0.9}},
    {"generator_optimizer": {"beta2": 0.9}},
    {"discriminator_optimizer": {"epsilon": 1e-3}},
    {"balance": {"low": 0.0, "high": 0.0}},
    {"fakes": "inference"},
    {"real_range": "unit"},
    {"discriminator": {"norm": "batch"}, "frozen_batch_norm": "moving"},
    {"discriminator": {"norm": "batch"}, "discriminator_batches": "mixed"},
    {"discriminator": {"downsampling": "max_pool"}},
    {"generator": {"norm": "none"}},
    {"generator": {"upsampling": "nearest"}},
    {"generator": {"conditional": True}, "discriminator": {"labels": "concat"}},
    {"generator": {"conditional": True}, "discriminator": {"labels": "projection"}},
    {"generator": {"conditional": True}, "auxiliary": "classes"},
    {"discriminator": {"minibatch_stddev": True}},
    {"generator_weights": "orthogonal"},
    {"discriminator_weights": {"name": "he_normal", "slope": 0.2}},
]
FULL_RESOLUTION_OVERRIDES = [
    {"generator": {"channels": [4, 5, 3]}},
    {"generator": {"dropout": 0.5}},
    {"generator": {"momentum": 0.5}},
    {"generator": {"debiased": False}},
    {"generator": {"dense": [6]}},
    {"generator": {"norm": "none"}},
    {"discriminator": {"downsampling": "max_pool"}},
    {"generator": {"activation": "tanh"}},
    {"discriminator": {"kernel": 5}},
    {"discriminator": {"strides": [2, 2, 1, 2]}},
    {"discriminator": {"padded": [0]}},
    {"discriminator": {"padded": None}},
    {"discriminator": {"norm": "none"}},
    {"discriminator": {"norm": "batch_everywhere"}},
    {"discriminator": {"dropout": 0.0}},
    {"discriminator": {"momentum": 0.2}},  # changes the buffers
    {"fakes": "training"},
    {"step_count": "own"},
    {"discriminator_update": "joint"},
    {"frozen_batch_norm": "moving"},
]
STRIDED_OVERRIDES = [
    {"generator": {"dense": [6]}},
    {"generator": {"norm": "none"}},
    {"discriminator": {"downsampling": "max_pool"}},
    {"discriminator": {"dense": [6]}},
    {"discriminator_batches": "mixed"},
]
UPSAMPLING_OVERRIDES = [
    {"generator": {"channels": [6, 5, 4]}},
    {"generator": {"dense": [6]}},
    {"generator": {"norm": "none"}},
    {"generator": {"momentum": 0.5}},
    {"generator": {"activation": "relu"}},
    {"discriminator": {"channels": [3, 4, 5]}},
    {"discriminator": {"dropout": 0.0}},
    {"latent": "shared"},
]
# Of the real images: tests/data/test_batches.py; from them: tests/variants/test_goodfellow_gan.py; and what is sampled.
ELSEWHERE = {"sampling", "output_bias", "ema_decay"}


@functools.cache
def unchanged(variant):
    """A variant's recipe and its weights after three updates."""
    fast = {"generator_schedules": {"lr": {"factor": 1.5}}, "discriminator_schedules": {"lr": {"factor": 1.5}}}
    module = tiny(variant, fast if variant == "MLPGAN" else {}, seed=1)
    torch.manual_seed(1)
    train(module, 3)
    return module.recipe, weights(module)


@pytest.mark.parametrize(
    ("variant", "change"),
    [("MLPGAN", change) for change in OVERRIDES]
    + [("DCGAN", change) for change in CONVOLUTIONAL_OVERRIDES]
    + [("FullResolutionDCGAN", change) for change in FULL_RESOLUTION_OVERRIDES]
    + [("StridedDCGAN", change) for change in STRIDED_OVERRIDES]
    + [("UpsamplingDCGAN", change) for change in UPSAMPLING_OVERRIDES],
    ids=str,
)
def test_every_accepted_override_changes_the_networks_or_the_first_updates(variant, change):
    """Three updates, since momentum acts from the second on and a second G update of a round is its second."""
    recipe, before = unchanged(variant)
    torch.manual_seed(1)
    changed = EVERY[variant](recipe.merged(change))
    torch.manual_seed(1)
    train(changed, 3)
    assert not same(before, weights(changed))


def test_the_overrides_cover_every_field():
    every = [*OVERRIDES, *CONVOLUTIONAL_OVERRIDES, *FULL_RESOLUTION_OVERRIDES]
    assert {key for change in every for key in change} | ELSEWHERE == set(tiny_recipe("MLPGAN").to_dict())
