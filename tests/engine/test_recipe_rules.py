"""Rules that a recipe may add to the step: penalties, simultaneous updates, clipping, packing, averages."""

from copy import deepcopy

import pytest
import pytorch_lightning as pl
import torch
from support import Counter, Digits, Recorder, Replay, parameters, same, tiny, train, weights
from torch.nn.functional import softplus

from gan.base.errors import UserError
from gan.base.images import to_range
from gan.base.streams import stream
from gan.parts.augmentations import AUGMENTATIONS
from gan.parts.penalties import PENALTIES
from gan.variants import VARIANTS

ALL = sorted(VARIANTS)


def trained(variant, change=None, steps=4, seed=1, **settings):
    module = tiny(variant, change, seed=seed)
    torch.manual_seed(seed)
    train(module, steps, **settings)
    return module


@pytest.mark.parametrize("variant", ALL)
def test_a_penalty_of_weight_0_is_none_bit_for_bit(variant):
    """Also one that draws random numbers."""
    penalties = dict.fromkeys(PENALTIES, 0.0)
    own = VARIANTS[variant].defaults.discriminator_penalties
    without = {"discriminator_penalties": dict.fromkeys(own), "generator_penalties": {}}
    zero = {"discriminator_penalties": penalties, "generator_penalties": {"l2": 0.0}}
    assert same(*(weights(trained(variant, change, steps=2)) for change in (without, zero)))


class Gradients(pl.Callback):
    """The gradient of each D update."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        if optimizer is trainer.optimizers[1]:
            self.seen.append(torch.cat([p.grad.flatten() for p in module.discriminator.parameters()]))


def test_a_penalty_every_k_updates_equals_one_in_each_in_expectation():
    """At weights that stand still: over whole periods the gradients of both add up to the same."""
    change = {
        "discriminator_optimizer": {"lr": 0.0},
        "discriminator_schedules": {"lr": None},
        "discriminator_weights": {"bound": 0.5},
    }
    sums = []
    for interval in (1, 3):
        record = Gradients()
        module = tiny("MLPGAN", change | {"discriminator_penalties": {"r1": {"weight": 5.0, "interval": interval}}})
        torch.manual_seed(2)
        train(module, 6, record, batches=Digits(8, batches=1), precision="64-true")
        sums.append(torch.stack(record.seen).sum(dim=0))
        assert (record.seen[0] - record.seen[1]).norm() > 1e-6  # the fakes change from update to update
    none = Gradients()
    torch.manual_seed(2)
    train(tiny("MLPGAN", change), 6, none, batches=Digits(8, batches=1), precision="64-true")
    torch.testing.assert_close(sums[0], sums[1], rtol=1e-9, atol=1e-12)
    assert (sums[0] - torch.stack(none.seen).sum(dim=0)).norm() > 1e-3 * sums[0].norm()


def simultaneous_loop(module, batches, steps):
    """Both gradients at the same parameters, then both steps: the alternative to algorithm 1 in its own text."""
    g, d, noise = module.generator, module.discriminator, stream("training noise", 5, 0)
    g_opt = torch.optim.SGD(g.parameters(), lr=0.01, momentum=0.5)
    d_opt = torch.optim.SGD(d.parameters(), lr=0.01, momentum=0.5)
    for _, (images, _) in zip(range(steps), batches, strict=False):
        real = images.double() / 255
        fake = g(torch.randn(len(real), 8, generator=noise, dtype=torch.float64))
        d_loss = softplus(-d(real)).mean() + softplus(d(fake)).mean()
        g_loss = softplus(-d(fake)).mean()
        d_gradients = torch.autograd.grad(d_loss, list(d.parameters()), retain_graph=True)
        g_gradients = torch.autograd.grad(g_loss, list(g.parameters()))
        for network, found in ((d, d_gradients), (g, g_gradients)):
            for parameter, gradient in zip(network.parameters(), found, strict=True):
                parameter.grad = gradient
        d_opt.step()
        g_opt.step()


def test_both_learning_rates_follow_one_clock_in_simultaneous_updates_too():
    rates = {0: [], 1: []}

    class Rates(pl.Callback):
        def on_before_optimizer_step(self, trainer, module, optimizer):
            rates[[o is optimizer for o in trainer.optimizers].index(True)].append(optimizer.param_groups[0]["lr"])

    halved = {"lr": {"name": "exponential_decay", "factor": 2.0, "minimum": 0.0}, "momentum": None}
    schedules = {"generator_schedules": halved, "discriminator_schedules": halved}
    train(tiny("MLPGAN", schedules | {"updates": "simultaneous"}), 3, Rates())
    assert rates[0] == rates[1] == [0.01, 0.005, 0.0025]


def test_batches_without_labels_are_refused_where_they_are_learnt_from():
    batches = [(images, None) for images, _ in Digits(8)]
    train(tiny("DCGAN"), 1, batches=Replay(list(batches)))
    labelled = {"generator": {"conditional": True}}
    for change in (labelled | {"discriminator": {"labels": "concat"}}, labelled | {"auxiliary": "classes"}):
        with pytest.raises(UserError, match="hold no labels"):
            train(tiny("DCGAN", change), 1, batches=Replay(batches))


@pytest.mark.parametrize("loss", ["wasserstein", "relativistic_pairing", "relativistic_average"])
def test_a_loss_without_a_level_that_calls_images_real_logs_no_accuracies(loss):
    record = Recorder()
    train(tiny("MLPGAN", {"loss": loss}), 1, record)
    assert record.outputs[0].keys() == {"loss/discriminator", "loss/generator", "probability/real", "probability/fake"}


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_simultaneous_updates_take_both_gradients_at_the_same_weights(updates):
    flat = {
        "generator_schedules": {"lr": None, "momentum": None},
        "discriminator_schedules": {"lr": None, "momentum": None},
    }
    module = tiny("MLPGAN", {"latent": "shared", "updates": updates} | flat, seed=5)
    copy = deepcopy(module).double()
    torch.manual_seed(5)
    train(module, 5, precision="64-true")
    simultaneous_loop(copy, Digits(8), 5)
    close = [torch.allclose(ours, weights(copy)[name], rtol=1e-6, atol=0) for name, ours in weights(module).items()]
    assert all(close) == (updates == "simultaneous")


def test_pretraining_updates_d_alone_first():
    counter = Counter()
    train(tiny("MLPGAN", {"pretraining": 3}), 2, counter)
    assert counter.changes == [(True, False)] * 3 + [(True, True)] * 2
    assert counter.clock == [0, 0, 0, 1, 2]


def test_weights_are_clipped_after_each_update():
    module = trained("MLPGAN", {"weight_clip": 0.004, "discriminator_optimizer": {"lr": 1.0}})
    largest = [float(p.abs().max()) for p in module.discriminator.parameters()]
    assert largest == pytest.approx([0.004] * len(largest))
    assert max(float(p.abs().max()) for p in module.generator.parameters()) > 0.04


def test_packing_shows_d_as_many_images_as_channels_of_one():
    module, seen = tiny("DCGAN", {"packing": 2}), []
    module.discriminator.register_forward_pre_hook(lambda network, inputs: seen.append(inputs[0].detach()))
    batches = Digits(8)
    train(module, 1, batches=batches)
    real = to_range(next(iter(batches))[0], (-1.0, 1.0))
    assert [tuple(images.shape) for images in seen] == [(4, 2, 28, 28)] * 3  # real, fake, and fake again for G
    assert torch.equal(seen[0][1, 0], real[2, 0])
    assert torch.equal(seen[0][1, 1], real[3, 0])


def test_both_players_see_augmented_images(monkeypatch):
    """An augmentation that blanks everything leaves D nothing to tell apart, and G no gradient."""
    monkeypatch.setitem(AUGMENTATIONS, "blank", lambda images, noise, step: images * 0)
    module = tiny("MLPGAN", {"augmentations": {"blank": {}}}, seed=1)
    record = Recorder()
    before = parameters(module.generator)
    train(module, 2, record)
    assert same(before, parameters(module.generator))
    for outputs in record.outputs:
        assert outputs["probability/real"] == outputs["probability/fake"]


def test_the_average_follows_the_weights():
    """a <- c a + (1 - c) w with c = min(decay, t / (t + 9)), from the initial weights on; statistics alike."""
    module = tiny("DCGAN", {"ema_decay": 0.3}, seed=1)
    expected, history = {name: value.double() for name, value in weights(module.generator).items()}, []

    class History(pl.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            history.append(weights(module.generator))

    train(module, 5, History(), precision="64-true")
    for t, state in enumerate(history, start=1):
        c = min(0.3, t / (t + 9))
        expected = {
            name: c * expected[name] + (1 - c) * value if value.is_floating_point() else value
            for name, value in state.items()
        }
    for name, value in weights(module.average).items():
        torch.testing.assert_close(value, expected[name])
    assert module.sampler().weights == "ema"
    module.float()
    assert not torch.equal(module.sampler().sample(4), module.sampler("raw").sample(4))


def test_an_average_changes_nothing_in_training():
    without, averaged = trained("DCGAN"), trained("DCGAN", {"ema_decay": 0.99})
    assert same(weights(without.generator), weights(averaged.generator))
    assert same(weights(without.discriminator), weights(averaged.discriminator))
    with pytest.raises(UserError, match="ema_decay"):
        without.sampler("ema")


@pytest.mark.parametrize("variant", [name for name in ALL if VARIANTS[name].defaults.auxiliary])
def test_both_networks_learn_from_the_auxiliary_loss(variant):
    """Its weight 0 leaves the head where it was, and with it both networks end elsewhere."""
    with_head, without = trained(variant), trained(variant, {"auxiliary": {"weight": 0.0}})
    for network in ("generator", "discriminator"):
        assert not same(parameters(getattr(with_head, network)), parameters(getattr(without, network)))
    head = without.discriminator.judge.bias[1:]
    assert torch.equal(head, torch.zeros_like(head))
    assert with_head.discriminator.judge.bias[1:].abs().min() > 0
