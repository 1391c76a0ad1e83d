"""Words of other programs, and names in another case, are taken for what a person most likely meant."""

import pytest

from gan.base.words import MANY, nearest
from gan.data.dataset import DATASETS
from gan.engine.recipe import Recipe
from gan.parts.inits import INITS
from gan.parts.priors import PRIORS
from gan.runs.config import KEYS
from gan.variants import VARIANTS


def test_a_long_list_is_given_only_where_no_name_is_near():
    few, many = ["alpha", "beta"], [f"name_{i:02}" for i in range(MANY + 1)]
    assert nearest("alpah", few) == "did you mean 'alpha'? (allowed: alpha, beta)"
    assert nearest("nmae_00", many) == "did you mean 'name_00'?"
    assert nearest("zzz", many).startswith("allowed: name_00, name_01")
    assert nearest("zzz", []) == "allowed: none"


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("seed", KEYS, "seed_everything"),
        ("epochs", KEYS, "trainer.max_epochs"),
        ("max_steps", KEYS, "trainer.max_steps"),
        ("lr", KEYS, "model.recipe.generator_optimizer.lr"),
        ("learning-rate", KEYS, "model.recipe.generator_optimizer.lr"),
        ("lr", Recipe.__dataclass_fields__, "generator_optimizer.lr"),
        ("gaussian", PRIORS, "normal"),
        ("xavier", INITS, "glorot_uniform"),
        ("dcgan", VARIANTS, "DCGAN"),
        ("wgan_gp", VARIANTS, "WGANGP"),
        ("cifar10", DATASETS, "folder"),
        ("FashionMNIST", DATASETS, "fashion_mnist"),
        ("Kuzushiji-MNIST", DATASETS, "kmnist"),
        ("StackedMNIST", DATASETS, "stacked_mnist"),
    ],
)
def test_what_a_person_most_likely_meant(word, known, meant):
    assert nearest(word, known).startswith(f"did you mean {meant!r}?")
