"""A line about models that are too small for several processes."""

import pytest
import torch
from support import EVERY, same, tiny, weights

from gan.base import notes
from gan.runs.small import forward_flop, say_if_too_small
from gan.variants.mlp_gan import MLPGAN


def test_operations_are_those_of_both_networks():
    """Two operations, a product and a sum, for each weight of an MLP and each image."""
    module = tiny("MLPGAN")
    count = sum(p.numel() for network in (module.generator, module.discriminator)
                for p in network.parameters() if p.ndim == 2)  # fmt: skip
    assert forward_flop(module) == 2 * count * 8


@pytest.mark.parametrize("variant", sorted(EVERY))
def test_a_small_model_gets_a_line_and_nothing_moves(variant, capsys):
    module = tiny(variant)
    before, state = weights(module), torch.get_rng_state()
    notes.forget()
    say_if_too_small(module)
    say_if_too_small(module)
    assert capsys.readouterr().err.count("GFLOP for a batch") == 1
    assert same(before, weights(module))
    assert torch.equal(state, torch.get_rng_state())
    assert all(part.training for part in module.modules())


def test_a_large_one_gets_none(capsys):
    notes.forget()
    say_if_too_small(MLPGAN(MLPGAN.defaults.merged({"batch_size": 512, "output_bias": "drawn"})))
    assert "GFLOP" not in capsys.readouterr().err
