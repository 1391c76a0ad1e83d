"""Recipes: values that check themselves, diffs that merge."""

import json
import pickle
from copy import deepcopy

import pytest
import torch
from support import tiny_recipe
from torch.nn.functional import softplus

from gan.base.choices import completed
from gan.base.errors import UserError
from gan.engine.recipe import Recipe
from gan.parts.optimizers import OPTIMIZERS
from gan.variants import VARIANTS
from gan.variants.mlp_gan import MLPGAN

RAMP = {"name": "linear_ramp", "final": 0.0, "updates": 4}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_round_trips_as_plain_values(variant):
    recipe = VARIANTS[variant].defaults
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.merged({}) == recipe


def test_mappings_merge_key_by_key_and_null_removes():
    recipe = MLPGAN.defaults
    assert recipe.merged({"generator": {"activation": {"slope": 0.1}}}).generator["widths"] == (1200, 1200)
    assert recipe.merged({"generator": {"activation": {"slope": 0.1}}}).generator["activation"]["name"] == "leaky_relu"
    assert set(recipe.merged({"generator_schedules": {"momentum": None}}).generator_schedules) == {"lr"}
    assert recipe.merged({"generator_weights": "glorot_uniform"}).generator_weights == {"name": "glorot_uniform"}
    assert recipe.merged({"prior": {"name": "uniform", "bound": 2.0}}).prior == {"name": "uniform", "bound": 2.0}
    assert recipe == MLPGAN.defaults  # nothing above changed the defaults


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pror": "normal"}, "did you mean 'prior'"),
        ({"prior": "unifrm"}, "did you mean 'uniform'"),
        ({"prior": {"name": "uniform", "bond": 1.0}}, "did you mean 'bound'"),
        ({"prior": 3}, "recipe.prior"),
        ({"prior": "nowhere.to.be.found"}, "cannot import"),
        ({"loss": {"name": "minimax", "x": 1}}, "has no parameter 'x'"),
        ({"loss": {"name": "minimax", "real_label": 2.0}}, "recipe.loss 'minimax': cannot be used"),
        ({"generator": {"width": [10]}}, "did you mean 'widths'"),
        ({"generator": {"widths": "wide"}}, "widths must be"),
        ({"generator": {"output": "relu"}}, "output must be one of"),
        ({"generator": {"activation": "gelu"}}, "activation"),
        ({"generator": {"activation": {"slope": "x"}}}, "slope must be"),
        ({"generator_weights": {"bound": None}}, "needs bound"),
        ({"generator_optimizer": {"lr": "fast"}}, "lr must be"),
        ({"generator_optimizer": {"lr": True}}, "lr must be"),
        ({"generator_optimizer": "adam"}, "remove the schedule with --model.recipe.generator_schedules.momentum=null"),
        ({"generator_schedules": {"beta": {"name": "linear_ramp", "final": 1.0, "updates": 2}}}, "'beta'"),
        ({"generator_penalties": {"l3": 1.0}}, "did you mean 'l2'"),
        ({"generator_penalties": {"l2": "x"}}, "must be a number"),
        ({"generator_penalties": {"l2": float("nan")}}, "must be a number"),
        ({"generator_optimizer": {"lr": -1.0}}, "recipe.generator_optimizer: cannot be used"),
        ({"generator_optimizer": {"momentum": -1.0}}, "recipe.generator_optimizer: cannot be used"),
        ({"generator_weights": {"name": "normal", "std": -1.0}}, "recipe.generator_weights"),
        ({"generator_weights": {"bound": -1.0}}, "recipe.generator_weights"),
        ({"generator_schedules": {"lr": {"factor": 0.0}}}, "recipe.generator_schedules.lr: cannot be used"),
        ({"generator": {"widths": [-5]}}, "widths must be"),
        ({"generator": {"widths": [0]}}, "widths must be"),
        ({"discriminator": {"dropout": 2.0}}, "recipe.discriminator: cannot be used"),
        ({"latent_dim": 10**12}, "latents of 1000000000000 numbers"),
        ({"generator": {"widths": [10**6, 10**6]}}, "parameters; allowed"),
        ({"prior": "torch.randn"}, "recipe.prior"),
        ({"loss": "torch.relu"}, "recipe.loss 'torch.relu': cannot be used"),
        ({"loss": "torch.get_num_threads"}, "not a gan.parts.losses.Loss"),
        ({"discriminator_penalties": {"r1": {"interval": 4}}}, "must be a number"),
        ({"discriminator_penalties": {"r1": {"weight": 1.0, "interval": 0}}}, "interval must be a whole number"),
        ({"discriminator_penalties": {"r1": {"weight": 1.0, "centre": 0}}}, "has no parameter 'centre'"),
        ({"discriminator_penalties": {"consistency": {"weight": 1.0, "pixels": 0}}}, "consistency: cannot be used"),
        ({"discriminator_penalties": {"gradient_penalty": {"weight": 1, "target": "x"}}}, "target must be float"),
        ({"discriminator": {"outputs": 3}}, "outputs follows from the rest of the recipe"),
        ({"auxiliary": {"name": "classes", "weight": "x"}}, "weight must be float"),
        ({"auxiliary": {"name": "classes", "weight": float("nan")}}, "weight must be 0 or more"),
        ({"auxiliary": 3}, "recipe.auxiliary: 3 is not a choice"),
        ({"auxiliary": "classes"}, "D reads the labels and G does not"),
        ({"generator_penalties": {"r1": 1.0}}, "recipe.generator_penalties: unknown name 'r1'; allowed: l2"),
        ({"discriminator_penalties": {"r1": {"weight": 1.0, "name": "r2"}}}, "has no parameter 'name'"),
        ({"discriminator_penalties": {"gan.parts.losses.hinge": 1.0}}, "gan.parts.losses.hinge: cannot be used"),
        ({"discriminator_penalties": {"os.getcwd": 1.0}}, "os.getcwd: cannot be used"),
        ({"augmentations": {"translation": {"name": "cutout"}}}, "has no parameter 'name'"),
        ({"balance": 5}, "recipe.balance must be"),
        ({"balance": {"low": "a", "high": 1}}, "needs numbers"),
        ({"balance": {"low": 0.1, "high": 0.9}, "loss": "wasserstein"}, "accuracy means nothing"),
        ({"weight_clip": 10**400}, "weight_clip must be a number"),
        ({"loss": {"name": "least_squares", "real": float("inf")}}, "recipe.loss 'least_squares': cannot be used"),
        (
            {"generator_optimizer": {"name": "rmsprop", "lr": 1e-3, "smoothing": 0.9}},
            "'rmsprop' has no 'momentum' to vary; allowed: epsilon, lr, smoothing",
        ),
        ({"augmentations": {"translation": 0.1}}, "must be a mapping"),
        ({"augmentations": {"rotation": {}}}, "allowed: .*translation"),
        ({"augmentations": {"translation": {"ratio": 7.0}}}, "recipe.augmentations.translation: cannot be used"),
        ({"auxiliary": "code"}, "needs the prior coded"),
        ({"auxiliary": {"name": "code", "categories": 3}, "prior": "coded"}, "same categories"),
        ({"auxiliary": "torch.get_num_threads"}, "makes no gan.parts.auxiliaries.Auxiliary"),
        ({"prior": "coded", "latent_dim": 12}, "recipe.prior: cannot be used"),
        ({"packing": 3}, "does not divide"),
        ({"packing": 0}, "packing must be a whole number of at least 1"),
        ({"packing": 2, "auxiliary": "code", "prior": "coded", "latent_dim": 16}, "recipe.packing"),
        ({"pretraining": -1}, "pretraining must be a whole number of at least 0"),
        ({"weight_clip": -0.1}, "weight_clip must be a number from 0"),
        ({"ema_decay": 1.0}, "ema_decay must be a number from 0 to below 1"),
        ({"updates": "joint"}, "must be one of alternating, simultaneous"),
        ({"updates": "simultaneous", "discriminator_update": "real_then_fake"}, "needs one D update a batch"),
        ({"output_bias": "mean"}, "must be one of drawn, marginals"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"batch_size": 12.5}, "batch_size must be"),
        ({"latent_dim": True}, "latent_dim must be"),
        ({"latent": "same"}, "must be one of fresh, shared"),
        ({"step_count": "both"}, "must be one of own, shared"),
        ({"sampling": 3}, "must be one of permutation, replacement"),
        ({"discriminator_update": "twice"}, "must be one of joint, real_then_fake"),
        ({"balance": {"low": 0.9, "high": 0.1}}, "low <= high"),
        ({"balance": {"low": 0.1, "hihg": 0.9}}, "did you mean 'high'"),
        (
            {"discriminator_update": "real_then_fake", "discriminator_batches": "mixed"},
            "discriminator_batches: mixed needs one D update a batch",
        ),
    ],
)
def test_mistakes_get_one_clear_line(change, message):
    with pytest.raises(UserError, match=message) as caught:
        MLPGAN(MLPGAN.defaults.merged(change))
    assert "\n" not in str(caught.value)


def test_a_penalty_is_a_weight_or_a_mapping_that_merges():
    recipe = MLPGAN.defaults.merged({"discriminator_penalties": {"r1": 10}})
    assert recipe.discriminator_penalties == {"r1": {"weight": 10, "interval": 1}}
    lazy = recipe.merged({"discriminator_penalties": {"r1": {"interval": 16}}})
    assert lazy.discriminator_penalties == {"r1": {"weight": 10, "interval": 16}}
    assert lazy.merged({"discriminator_penalties": {"r1": 2.5}}).discriminator_penalties["r1"]["interval"] == 16
    assert lazy.merged({"discriminator_penalties": {"r1": None}}).discriminator_penalties == {}
    assert Recipe.from_dict(lazy.to_dict()) == lazy


def test_values_of_an_older_recipe_get_the_defaults_of_newer_fields():
    values = tiny_recipe("MLPGAN", {"generator_penalties": {"l2": 0.8}}).to_dict()
    older = values | {"generator_penalties": {"l2": 0.8}}
    for newer in ("auxiliary", "weight_clip", "augmentations", "packing", "updates", "pretraining", "ema_decay"):
        del older[newer]
    assert Recipe.from_dict(older).to_dict() == values


def test_a_choice_is_stored_with_all_its_parameters_at_every_depth():
    recipe = MLPGAN.defaults.merged(
        {
            "generator": {"activation": "leaky_relu"},
            "generator_optimizer": {"name": "adam"},
            "generator_schedules": {"momentum": None},
            "discriminator_penalties": {"dragan": 10},
            "augmentations": {"instance_noise": {}},
        }
    )
    assert recipe.generator["activation"] == {"name": "leaky_relu", "slope": 0.2}
    expected = {"name": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert recipe.generator_optimizer == expected
    assert recipe.discriminator_penalties == {"dragan": {"weight": 10, "interval": 1, "spread": 0.5}}
    assert recipe.augmentations == {"instance_noise": {"std": 0.1, "updates": None}}
    assert "outputs" not in recipe.discriminator  # the engine's


def test_a_recorded_recipe_means_the_same_after_a_default_changes(monkeypatch):
    change = {"generator_optimizer": {"name": "adam"}, "generator_schedules": {"momentum": None}}
    recorded = MLPGAN.defaults.merged(change).to_dict()
    monkeypatch.setattr(OPTIMIZERS["adam"], "__kwdefaults__", {"lr": 0.5, "beta1": 0.0, "beta2": 0.0, "epsilon": 0.1})
    assert completed("adam", OPTIMIZERS, "optimizer")["lr"] == 0.5
    assert Recipe.from_dict(recorded).to_dict() == recorded


def test_a_null_that_is_recorded_is_a_value_and_one_in_a_diff_removes():
    recipe = VARIANTS["DCGAN"].defaults
    assert recipe.to_dict()["generator"]["dense"] is None
    wide = recipe.merged({"generator": {"dense": [12]}})
    assert wide.generator["dense"] == (12,)
    assert Recipe.from_dict(wide.to_dict()) == wide
    assert wide.merged({"generator": {"dense": None}}) == recipe


def test_nothing_of_a_recipe_can_be_changed():
    defaults = VARIANTS["DCGAN"].defaults
    for change in (
        lambda: defaults.generator["channels"].append(7),
        lambda: defaults.generator.update(output="sigmoid"),
        lambda: defaults.generator_optimizer.__setitem__("lr", 1.0),
        lambda: setattr(defaults, "latent_dim", 3),
    ):
        with pytest.raises((AttributeError, TypeError)):
            change()
    assert deepcopy(defaults) is defaults
    assert pickle.loads(pickle.dumps(defaults)) == defaults


@pytest.mark.parametrize(
    ("schedules", "message"),
    [
        ({"latent_dim": 1}, "nothing of latent_dim follows a schedule"),
        ({"generator_optimizer": {"beta2": RAMP}}, "give recipe.generator_schedules.beta2"),
        ({"prior": {"bound": RAMP}}, "nothing of prior follows a schedule"),
        ({"discriminator_penalties": {"r2": {"weight": RAMP}}}, "no such number; did you mean 'r1'"),
        ({"discriminator_penalties": {"r1": {"interval": RAMP}}}, "may take any value between others"),
        ({"discriminator_penalties": {"consistency": {"pixels": RAMP}}}, "may take any value between others"),
        ({"loss": {"real_lable": RAMP}}, "did you mean 'real_label'"),
        ({"loss": {"real_label": "ramp"}}, "unknown name 'ramp'; did you mean 'linear_ramp'"),
        ({"loss": {"name": RAMP}}, "'non_saturating' is no number"),
        ({"weight_clip": {"name": "exponential_decay", "factor": 0.0}}, "schedules.weight_clip: cannot be used"),
        ({"ema_decay": 0.9}, "is not a choice"),
        (0.9, "recipe.schedules must be a mapping"),
    ],
)
def test_a_schedule_stands_where_a_number_may_vary(schedules, message):
    change = {"discriminator_penalties": {"r1": 1.0, "consistency": 1.0}, "schedules": schedules}
    with pytest.raises(UserError, match=message):
        MLPGAN.defaults.merged(change)


def test_numbers_follow_their_schedules():
    recipe = MLPGAN.defaults.merged(
        {
            "augmentations": {"instance_noise": {"std": 0.4}},
            "discriminator_penalties": {"r1": 8.0},
            "ema_decay": 0.8,
            "schedules": {
                "augmentations": {"instance_noise": {"std": RAMP}},
                "discriminator_penalties": {"r1": {"weight": RAMP}},
                "ema_decay": RAMP,
                "loss": {"real_label": RAMP | {"final": 0.5}},
            },
        }
    )
    (penalty,) = recipe.penalties("discriminator")
    assert [penalty.weight(step) for step in range(6)] == [8.0, 6.0, 4.0, 2.0, 0.0, 0.0]
    assert [recipe.number("ema_decay", step) for step in (0, 2, 4)] == [0.8, 0.4, 0.0]
    (noisy,) = recipe.augmenters()
    images = torch.zeros(50, 1, 28, 28)
    spreads = [float(noisy(images, torch.Generator().manual_seed(1), step).std()) for step in (0, 2, 4)]
    assert spreads == pytest.approx([0.4, 0.2, 0.0], rel=0.05)
    logits = torch.tensor([[2.0]])
    losses = [float(recipe.objective(step).discriminator(logits, logits)) for step in (0, 2, 4)]
    on_real, on_fake = float(softplus(-logits)), float(softplus(logits))
    assert losses == pytest.approx([a * on_real + (1 - a) * on_fake + on_fake for a in (1.0, 0.75, 0.5)])


def test_a_missing_value_is_named():
    values = tiny_recipe("MLPGAN").to_dict()
    del values["batch_size"]
    with pytest.raises(UserError, match="recipe needs batch_size"):
        Recipe.from_dict(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedules": {"weight_clip": RAMP | {"final": -1}}}, "weight_clip: comes to -1, allowed"),
        ({"schedules": {"ema_decay": RAMP | {"final": 2}}}, "ema_decay: comes to 2, allowed"),
        ({"schedules": RAMP}, "a schedule stands where its number does"),
        ({"schedules": {"loss": {"real_label": RAMP | {"final": 2}}}}, "real_label must be above 0"),
        (
            {
                "augmentations": {"cutout": {}},
                "schedules": {"augmentations": {"cutout": {"ratio": RAMP | {"final": 3}}}},
            },
            "ratio must be between 0 and 1",
        ),
        (
            {
                "discriminator_penalties": {"dragan": 1.0},
                "schedules": {"discriminator_penalties": {"dragan": {"spread": RAMP}}},
            },
            "spread must be above 0",
        ),
        (
            {
                "generator_optimizer": {"name": "adam"},
                "generator_schedules": {"momentum": None, "beta1": RAMP | {"final": 1.0}},
            },
            "beta1: the value that it comes to: cannot be used",
        ),
    ],
)
def test_what_a_schedule_comes_to_must_be_allowed(change, message):
    with pytest.raises(UserError, match=message):
        MLPGAN.defaults.merged(change)


def test_a_decay_goes_on_beyond_the_largest_number():
    recipe = MLPGAN.defaults.merged({"generator_schedules": {"lr": {"factor": 1.1}}})
    assert recipe.optimizer_schedules("generator")["lr"](0.01, 10**6) == 1e-6
