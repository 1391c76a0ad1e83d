"""SNGAN: every layer of D has spectral norm 1, and the loss is the hinge."""

import pytest
import torch
from support import Recorder, tiny, train
from torch import nn
from variants_support import first_outputs


def test_the_first_loss_is_the_hinge():
    real, fake, outputs = first_outputs(tiny("SNGAN", seed=1))
    expected = torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()
    assert float(outputs["loss/discriminator"]) == pytest.approx(float(expected), rel=1e-5)


def test_after_training_every_layer_has_spectral_norm_1():
    module = tiny("SNGAN", {"discriminator_optimizer": {"lr": 5e-3}})
    train(module, 20, Recorder())
    layers = [m for m in module.discriminator.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert len(layers) == 3
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.flatten(1), 2)) == pytest.approx(1, rel=0.05)
        assert float(torch.linalg.matrix_norm(layer.parametrizations.weight.original.flatten(1), 2)) != pytest.approx(1)
