"""ACGAN: D's further outputs learn the class, and the generator draws it."""

import pytest
import torch
from support import Digits, Recorder, tiny, train
from torch.nn.functional import cross_entropy
from variants_support import first_outputs, short_conditional_run

from gan.base.images import to_range


def test_both_halves_of_d_s_loss_name_the_class():
    module = tiny("ACGAN", seed=1)
    real, fake, outputs = first_outputs(module, every_output=True)
    labels = next(iter(Digits(8)))[1]
    named = cross_entropy(real[:, 1:], labels) + cross_entropy(fake[:, 1:], labels)
    adversarial = torch.nn.functional.softplus(-real[:, 0]).mean() + torch.nn.functional.softplus(fake[:, 0]).mean()
    assert float(outputs["loss/discriminator"]) == pytest.approx(float(named + adversarial), rel=1e-5)


def test_d_learns_to_name_the_digits():
    module = tiny("ACGAN", {"discriminator_optimizer": {"lr": 1e-2}})
    train(module, 120, Recorder(), batches=Digits(8, batches=2))
    images, labels = next(iter(Digits(8)))
    named = module.discriminator(to_range(images, (-1.0, 1.0)))[:, 1:].argmax(dim=1)
    assert (named == labels).float().mean() >= 0.75


@pytest.mark.slow
def test_a_short_run_draws_what_the_label_says(tmp_path):
    assert short_conditional_run(tmp_path, "ACGAN")["label_agreement"] > 0.9
