"""Choices: the three shapes, merging, signatures, and names outside the package."""

import pytest

from gan.base.choices import foreign_names, merge, normalise, resolve
from gan.base.errors import UserError
from gan.parts.inits import INITS
from gan.parts.networks.layers import ACTIVATIONS
from gan.parts.optimizers import OPTIMIZERS
from gan.parts.priors import PRIORS


def test_a_key_and_a_key_with_parameters_are_one_shape():
    assert normalise("normal", "prior") == {"name": "normal"}
    assert normalise({"name": "uniform", "bound": 2}, "prior") == {"name": "uniform", "bound": 2}
    assert resolve({"name": "uniform", "bound": 2}, PRIORS, "prior") == (PRIORS["uniform"], {"bound": 2})


def test_an_importable_path_needs_no_registration():
    function, parameters = resolve("gan.parts.priors.normal", {}, "prior")
    assert function is PRIORS["normal"]
    assert parameters == {}


@pytest.mark.parametrize("choice", [5, None, [], {}, {"bound": 2}, {"name": 3}, {"name": None}])
def test_what_is_no_choice_is_refused_by_its_kind(choice):
    with pytest.raises(UserError, match=r"recipe\.prior"):
        normalise(choice, "recipe.prior")


@pytest.mark.parametrize(
    ("choice", "registry", "message"),
    [
        ("unifrom", PRIORS, "did you mean 'uniform'"),
        ({"name": "uniform", "bond": 2}, PRIORS, "no parameter 'bond'; did you mean 'bound'"),
        ({"name": "uniform", "bound": "2"}, PRIORS, "bound must be float, got '2'"),
        ({"name": "uniform", "bound": True}, PRIORS, "bound must be float, got True"),
        ({"name": "normal"}, INITS, "needs std"),
        ({"name": "adam", "lr": [1]}, OPTIMIZERS, "lr must be float"),
        ({"name": "relu", "slope": 1.0}, ACTIVATIONS, "relu"),
        ("gan.parts.priors.nothing", PRIORS, "cannot import"),
        ("no_such_package.thing", PRIORS, "cannot import"),
    ],
)
def test_a_choice_is_checked_against_what_it_names(choice, registry, message):
    with pytest.raises(UserError, match=message):
        resolve(choice, registry, "part")


def test_an_int_passes_for_a_float():
    assert resolve({"name": "uniform", "bound": 2}, PRIORS, "prior")[1] == {"bound": 2}


@pytest.mark.parametrize(
    ("base", "change", "result"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"name": "x", "p": 1}, {"name": "y"}, {"name": "y"}),
        ({"name": "x", "p": 1}, {"name": "x", "q": 2}, {"name": "x", "p": 1, "q": 2}),
        ({"name": "x", "p": 1}, {"p": 3}, {"name": "x", "p": 3}),
        ({"name": "x", "p": 1}, "x", {"name": "x", "p": 1}),
        ({"name": "x", "p": 1}, "y", {"name": "y"}),
        ("x", {"p": 3}, {"name": "x", "p": 3}),
        ({"widths": [1, 2]}, {"widths": [3]}, {"widths": [3]}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_mappings_merge_key_by_key_and_another_name_replaces(base, change, result):
    before = repr(base)
    assert merge(base, change) == result
    assert repr(base) == before, "merge changed its argument"


def test_foreign_names_are_found_at_every_depth():
    tree = {"class_path": "mylab.V", "recipe": {"prior": {"name": "os.system"}, "x": [{"a": {"name": "a.b"}}]}}
    assert sorted(foreign_names(tree)) == ["a.b", "mylab.V", "os.system"]
    assert list(foreign_names({"class_path": "gan.variants.mlp_gan.MLPGAN", "prior": {"name": "normal"}})) == []
    assert list(foreign_names({"name": "gander.prior"})) == ["gander.prior"]
    # Of gan itself, but called with parameters that come from a file.
    assert list(foreign_names({"recipe": {"loss": {"name": "gan.cli.main"}}})) == ["gan.cli.main"]
    assert list(foreign_names("gan.cli.main", called=True)) == ["gan.cli.main"]
    assert list(foreign_names({"schedules": {"lr": "mylab.cosine"}, "activation": "torch.nn.functional.silu"}))
