"""What a variant outside the package may do: further modules, its own losses, state that moves with the steps.

BiGAN and ADA of the plugin are also among the variants of every law in test_game.py and test_recipe_rules.py.
"""

import pytest
import torch
from mylab.ada import ADA
from support import Counter, Recorder, parameters, same, tiny, tiny_recipe, train, weights
from torch import nn
from torch.nn.functional import softplus

import gan
from gan.base.errors import UserError
from gan.engine.look import Look
from gan.runs.checkpoint import save_snapshot


def test_a_module_that_is_added_to_g_is_trained_and_averaged_with_it():
    module = tiny("BiGAN", {"ema_decay": 0.5, "d_steps": 2}, seed=1)
    encoder, counter = [parameters(module.encoder)], Counter()
    average = weights(module.average_encoder)
    assert same(average, weights(module.encoder))  # both start at the drawn weights

    class Watch(Recorder):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)
            encoder.append(parameters(module.encoder))

    watch = Watch()
    train(module, 1, watch, counter)
    assert watch.updated == [("discriminator",), ("discriminator", "generator")]
    assert same(encoder[0], encoder[1])
    assert not any(torch.equal(encoder[1][name], encoder[2][name]) for name in encoder[1])
    expected = {name: 0.1 * average[name] + 0.9 * value for name, value in encoder[2].items()}  # decay 1 / (1 + 9)
    for name, value in weights(module.average_encoder).items():
        torch.testing.assert_close(value, expected[name])


def test_added_modules_are_drawn_as_their_player_s_network_is():
    module = tiny("BiGAN", {"generator_weights": {"name": "constant", "value": 0.25}}, seed=1)
    assert all(bool((layer.weight == 0.25).all()) for layer in module.encoder.layers if hasattr(layer, "weight"))


def test_snapshots_and_checkpoints_export_added_modules(tmp_path):
    module = tiny("BiGAN", {"ema_decay": 0.5}, seed=1)
    train(module, 2).save_checkpoint(tmp_path / "last.ckpt")
    save_snapshot(module, 2, tmp_path / "g.safetensors")
    averaged, raw = weights(module.average_encoder), weights(module.encoder)
    assert not same(averaged, raw)
    for file, kind, expected in (
        ("g.safetensors", None, averaged),
        ("last.ckpt", "ema", averaged),
        ("last.ckpt", "raw", raw),
    ):
        with pytest.raises(UserError, match="--allow-import mylab"):
            gan.load(tmp_path / file)
        sampler = gan.load(tmp_path / file, allow_import=["mylab"], weights=kind)
        assert same(weights(sampler.further["encoder"]), expected)
        assert sampler.further["encoder"](torch.zeros(3, 1, 28, 28)).shape == (3, 8)


def test_an_own_loss_is_what_is_minimised():
    """BiGAN's G and E minimise D's loss with the labels exchanged."""
    module = tiny("BiGAN", {"discriminator_optimizer": {"lr": 0.0}}, seed=1)
    seen = []
    module.discriminator.register_forward_hook(lambda network, inputs, output: seen.append(output.detach()))
    record = Recorder()
    train(module, 1, record)
    d_real, d_fake, g_real, g_fake = seen
    (scalars,) = record.outputs
    torch.testing.assert_close(scalars["loss/discriminator"], (softplus(-d_real) + softplus(d_fake)).mean())
    torch.testing.assert_close(scalars["loss/generator"], (softplus(-g_fake) + softplus(g_real)).mean())


def test_a_loss_in_halves_is_refused_beside_an_own_loss():
    with pytest.raises(UserError, match="real_then_fake halves the recipe's loss"):
        tiny("BiGAN", {"discriminator_update": "real_then_fake"})


def test_an_added_module_hides_nothing():
    module = tiny("DCGAN")
    with pytest.raises(UserError, match="'discriminator' is an attribute"):
        module.add_modules("generator", discriminator=nn.Linear(1, 1))


def test_balance_needs_logits():
    module = tiny("MLPGAN", {"balance": {"low": 0.1, "high": 0.9}})
    judge = module.discriminator_loss
    module.discriminator_loss = lambda look: judge(look)._replace(real_logits=None, fake_logits=None)
    with pytest.raises(UserError, match=r"recipe\.balance: needs D's logits"):
        train(module, 1)


def test_a_look_shows_each_image_once_as_d_sees_it():
    shown = []
    look = Look(torch.zeros(2), torch.ones(2), None, torch.zeros(2, 3), lambda images: shown.append(images) or images)
    assert look.seen_fake is look.seen_fake
    assert shown == [look.fake]


@pytest.mark.parametrize(("target", "expected"), [(-1.5, 2 * 0.5), (1.5, 0.0)])
def test_ada_s_probability_follows_how_surely_d_knows_the_images(target, expected, monkeypatch):
    """Always above or always below the target: after 4 and 8 D updates p has moved by 4 · 8 / 64 each."""
    monkeypatch.setattr(ADA, "target", target)
    monkeypatch.setattr(ADA, "images", 64)
    module = tiny("ADA", seed=1)
    train(module, 9)
    assert float(module.probability) == expected
    assert module.players["discriminator"].updates == 9


def test_ada_augments_with_its_probability():
    module, images = tiny("ADA", seed=1), torch.rand(400, 1, 28, 28)
    train(module, 1)
    for probability in (0.0, 0.25, 1.0):
        module.probability.fill_(probability)
        changed = (module.augment(images) != images).flatten(1).any(dim=1).float().mean()
        assert float(changed) == pytest.approx(probability, abs=0.08)


def test_ada_needs_a_loss_that_tells_real_from_fake():
    with pytest.raises(UserError, match="which this loss does not say"):
        ADA(tiny_recipe("ADA", {"loss": "wasserstein"}))
