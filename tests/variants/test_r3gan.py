"""R3GAN: a loss of pairs, penalties on both sides, no normalisation anywhere."""

import pytest
import torch
from support import tiny
from torch import nn
from variants_support import first_outputs

WITHOUT = {"discriminator_penalties": {"r1": 0.0, "r2": 0.0}}


def test_the_first_loss_is_of_pairs_and_both_penalties_add_to_it():
    real, fake, outputs = first_outputs(tiny("R3GAN", seed=1))
    pairs = float(nn.functional.softplus(fake - real).mean())
    values = {}
    for name, weights in {"none": WITHOUT, "r1": {"discriminator_penalties": {"r2": 0.0}}, "both": {}}.items():
        _, _, found = first_outputs(tiny("R3GAN", weights, seed=1))
        values[name] = float(found["loss/discriminator"])
    assert values["none"] == pytest.approx(pairs, rel=1e-5)
    assert values["none"] < values["r1"] < values["both"] == float(outputs["loss/discriminator"])


def test_nothing_is_normalised():
    module = tiny("R3GAN")
    assert not [
        m for m in module.modules() if isinstance(m, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm)
    ]


def test_the_generator_s_update_depends_on_the_real_images():
    ends = []
    for scale in (1.0, 0.0):
        module = tiny("R3GAN", {"discriminator_optimizer": {"lr": 0.0}}, seed=1)
        first_outputs(module, scale=scale)
        ends.append(torch.cat([p.detach().flatten() for p in module.generator.parameters()]))
    assert not torch.equal(*ends)
