"""Each source of randomness has a seed of its own, which is the run's unless it is fixed alone."""

import pytest
import torch
from support import parameters, same, tiny, tiny_recipe, train, weights

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.variants.mlp_gan import MLPGAN

SOURCES = ("init", "order", "noise", "dropout")
CHANGE = {"discriminator": {"dropout": 0.4}}


def trained(run_seed, **seeds):
    """The weights after three updates on a data module."""
    torch.manual_seed(run_seed)
    module = MLPGAN(tiny_recipe("MLPGAN", CHANGE), seeds=seeds)
    train(module, 3, batches=ImageDataModule(source="embedded"))
    return weights(module)


@pytest.fixture(scope="module")
def base():
    """Of the run with seed 1."""
    return trained(1)


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_can_be_fixed_alone(base, source):
    assert not same(base, trained(1, **{source: 2}))
    others = {name: 1 for name in SOURCES if name != source}
    assert same(trained(2, **others), trained(1, **{source: 2}))  # all else is as in the first run


def test_all_sources_together_are_the_run_s_seed(base):
    assert same(base, trained(9, **dict.fromkeys(SOURCES, 1)))
    assert same(base, trained(1, init=None))
    assert not same(base, trained(9))


def test_initial_weights_do_not_depend_on_what_was_drawn_before():
    first = tiny("DCGAN", seed=3)
    torch.manual_seed(3)
    torch.rand(7)
    state = torch.get_rng_state()
    second = type(first)(first.recipe)
    assert same(parameters(first), parameters(second))
    assert torch.equal(state, torch.get_rng_state())  # nor move the global state


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ({"noise": -1}, "seeds.noise must be a whole number from 0 to 4294967295"),
        ({"noise": True}, "seeds.noise must be"),
        ({"init": "x"}, "seeds.init must be"),
        ({"weights": 1}, "unknown key 'seeds.weights'; allowed: dropout, init, noise, order"),
    ],
)
def test_what_is_no_seed_is_refused(seeds, message):
    with pytest.raises(UserError, match=message):
        MLPGAN(seeds=seeds)


def test_a_resumed_run_keeps_its_seeds(tmp_path):
    torch.manual_seed(1)
    module = MLPGAN(tiny_recipe("MLPGAN", CHANGE), seeds={"noise": 5})
    train(module, 2, batches=ImageDataModule(source="embedded")).save_checkpoint(tmp_path / "a.ckpt")
    torch.manual_seed(8)
    resumed = MLPGAN(tiny_recipe("MLPGAN", CHANGE))
    train(resumed, 3, batches=ImageDataModule(source="embedded"), ckpt_path=tmp_path / "a.ckpt")
    assert resumed.seeds.to_dict() == {"init": 1, "order": 1, "noise": 5, "dropout": 1}
    assert same(weights(resumed), trained(1, noise=5))


def test_torch_s_own_dropout_follows_the_seed_of_dropout(monkeypatch):
    """It draws from the global random state, of which the first process keeps what the run's seed set."""
    monkeypatch.setattr("gan.parts.networks.mlp.Dropout", torch.nn.Dropout)
    base = trained(1)
    assert same(base, trained(1, dropout=1))
    assert not same(base, trained(1, dropout=2))
    assert same(trained(1, dropout=2), trained(1, dropout=2))


def test_dropout_s_masks_come_from_its_stream_and_leave_the_global_state_alone():
    module = tiny("MLPGAN", CHANGE, seed=1)
    states = []

    def hook(network, inputs):
        states.append(torch.get_rng_state())

    module.discriminator.register_forward_pre_hook(hook)
    train(module, 3)
    assert all(torch.equal(state, states[0]) for state in states)
    assert module.discriminator.dropout.mask_stream is module.streams.dropout
