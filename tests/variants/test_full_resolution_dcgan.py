"""FullResolutionDCGAN against Keras 2.1's rules, written out."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import MixedPrecision
from support import Digits, Recorder, Replay, calls, same, tiny, train, weights
from torch.nn.functional import softplus

from gan.base.errors import UserError
from gan.parts.networks.layers import batch_norms
from gan.variants.full_resolution_dcgan import FullResolutionDCGAN

WITHOUT_DROPOUT = {"generator": {"dropout": 0.0}, "discriminator": {"dropout": 0.0}}


class KerasAdam:
    """One instance for both networks: slots of their own, one step count."""

    def __init__(self):
        self.t, self.slots = 0, {}

    @torch.no_grad()
    def minimise(self, loss, network):
        self.t += 1
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        for parameter, g in zip(network.parameters(), gradients, strict=True):
            m, v = self.slots.get(parameter, (0, 0))
            m, v = 0.5 * m + 0.5 * g, 0.999 * v + 0.001 * g * g
            self.slots[parameter] = m, v
            lr = 2e-4 * (1 - 0.999**self.t) ** 0.5 / (1 - 0.5**self.t)
            parameter -= lr * m / (v.sqrt() + 1e-7)


@pytest.mark.parametrize("rule", ["batch", "moving"])
def test_three_rounds_are_those_of_the_text_s_program(rule):
    """Predict, train on real, train on fake, train the stack: by hand, in float64."""
    later_keras = {"frozen_batch_norm": "moving", "discriminator": {"momentum": 0.2}} if rule == "moving" else {}
    module, copy = (tiny("FullResolutionDCGAN", WITHOUT_DROPOUT).double() for _ in range(2))
    if later_keras:
        module, copy = (FullResolutionDCGAN(module.recipe.merged(later_keras)).double() for _ in range(2))
        copy.load_state_dict(module.state_dict())
    g, d, adam = copy.generator, copy.discriminator, KerasAdam()
    batches, record, made = Digits(8), Recorder(), calls(module.generator)
    trainer = train(module, 3, record, batches=batches, precision="64-true")
    assert trainer.global_step == 3
    latents = [latent for latent, _, _ in made]
    assert len(latents) == 6
    assert all(map(torch.equal, latents[::2], latents[1::2]))  # the same noise for both updates
    for (images, _), latent, values in zip(batches, latents[::2], record.outputs, strict=False):
        real = images.double() / 127.5 - 1
        g.eval()
        fake = g(latent).detach()
        g.train()
        d_loss_real = softplus(-d(real)).mean()
        adam.minimise(d_loss_real, d)
        d_loss_fake = softplus(d(fake)).mean()
        adam.minimise(d_loss_fake, d)
        for norm in batch_norms(d):
            norm.train(rule == "batch")
        g_loss = softplus(-d(g(latent))).mean()
        adam.minimise(g_loss, g)
        d.train()
        torch.testing.assert_close(values["loss/discriminator"], (d_loss_real + d_loss_fake).detach())
        torch.testing.assert_close(values["loss/generator"], g_loss.detach())
    for name, tensor in copy.state_dict().items():
        torch.testing.assert_close(module.state_dict()[name], tensor, rtol=1e-7, atol=1e-9, msg=name)


def moving_statistics(network):
    return [tensor.clone() for norm in batch_norms(network) for tensor in (norm.running_mean, norm.running_var)]


def test_the_discriminator_s_moving_statistics_never_move_and_the_generator_s_do():
    module = tiny("FullResolutionDCGAN")
    before = [moving_statistics(network) for network in (module.discriminator, module.generator)]
    train(module, 2)
    after = [moving_statistics(network) for network in (module.discriminator, module.generator)]
    same = [[torch.equal(a, b) for a, b in zip(x, y, strict=True)] for x, y in zip(before, after, strict=True)]
    assert all(same[0])
    assert not any(same[1])


def test_fakes_are_predicted_without_dropout_and_the_generator_trains_with_it():
    module = tiny("FullResolutionDCGAN")
    modes = []
    module.generator.dropout.register_forward_hook(lambda layer, *_: modes.append(layer.training))
    train(module, 2)
    layers = len(module.generator.norms)
    assert modes == ([False] * layers + [True] * layers) * 2
    assert all(part.training for part in module.generator.modules())


def test_a_frozen_batch_norm_in_inference_mode_leaves_dropout_on():
    module = tiny("FullResolutionDCGAN", {"frozen_batch_norm": "moving", "discriminator": {"momentum": 0.2}})
    modes = []
    for name, layer in (("dropout", module.discriminator.dropout), ("norm", module.discriminator.norms[1])):
        layer.register_forward_hook(lambda layer, *_, name=name: modes.append((name, layer.training)))
    train(module, 1)
    assert [mode for name, mode in modes if name == "norm"] == [True, True, False]  # real, fake, G's update
    assert {mode for name, mode in modes if name == "dropout"} == {True}


def test_accuracy_is_measured_before_each_update():
    """With a learning rate that turns D over, D's fakes are judged by the D that has learnt from the real images."""
    fast = {"discriminator_optimizer": {"lr": 10.0}, **WITHOUT_DROPOUT}
    module, still = tiny("FullResolutionDCGAN", fast), tiny("FullResolutionDCGAN", WITHOUT_DROPOUT)
    records = [Recorder(), Recorder()]
    for variant, record in zip((module, still), records, strict=True):
        train(variant, 1, record)
    of_fast, of_still = (record.outputs[0] for record in records)
    assert torch.equal(of_fast["probability/real"], of_still["probability/real"])
    assert not torch.equal(of_fast["probability/fake"], of_still["probability/fake"])


@pytest.mark.parametrize(
    ("variant", "change", "message"),
    [
        ("MLPGAN", {"real_range": "unit"}, "has that range"),
        ("MLPGAN", {"fakes": "inference"}, "no dropout and no batch norm"),
        ("MLPGAN", {"frozen_batch_norm": "moving"}, "keeps moving statistics"),
        ("StridedDCGAN", {"frozen_batch_norm": "moving"}, "keeps moving statistics"),
    ],
)
def test_rules_that_a_network_cannot_show_are_refused(variant, change, message):
    with pytest.raises(UserError, match=message):
        tiny(variant, change)


def test_a_shared_step_count_needs_two_tensorflow_adams():
    with pytest.raises(UserError, match="needs tensorflow_adam for both"):
        tiny("MLPGAN", {"step_count": "shared"})


def test_the_trainer_may_not_take_the_debiasing_or_the_count_away(monkeypatch):
    module = tiny("FullResolutionDCGAN")
    try:
        with pytest.raises(UserError, match="sync_batchnorm"):
            train(module, 1, strategy="ddp_find_unused_parameters_true", devices=1, sync_batchnorm=True)
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    monkeypatch.setattr(pl.Trainer, "precision", "16-mixed")  # stands for a GPU's
    with pytest.raises(UserError, match="16-mixed skips updates"):
        train(module, 1)


def test_the_second_update_sees_the_first_one_s_weights_under_autocast_s_cache(monkeypatch):
    """Some versions of Lightning keep autocast's cache of bfloat16 weights on."""
    ends = []
    for cache in (False, True):
        autocast = partial(torch.autocast, "cpu", torch.bfloat16, cache_enabled=cache)
        monkeypatch.setattr(MixedPrecision, "autocast_context_manager", lambda self, autocast=autocast: autocast())
        module = tiny("FullResolutionDCGAN", WITHOUT_DROPOUT)
        train(module, 2, precision="bf16-mixed")
        ends.append(weights(module))
    assert same(*ends)


def test_resuming_goes_on_with_the_shared_step_count(tmp_path):
    straight = tiny("FullResolutionDCGAN", seed=2)
    batches = list(Digits(8, batches=4))
    train(straight, 4, batches=Replay(batches))
    first = tiny("FullResolutionDCGAN", seed=2)
    trainer = train(first, 2, batches=Replay(batches[:2]))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    second = tiny("FullResolutionDCGAN", seed=5)
    train(second, 4, batches=Replay(batches[2:]), ckpt_path=tmp_path / "a.ckpt")
    torch.testing.assert_close(weights(second), weights(straight), rtol=0, atol=0)
    assert second.optimizers()[0].optimizer.shared is second.optimizers()[1].optimizer.shared
    assert second.optimizers()[0].optimizer.shared == [12]
