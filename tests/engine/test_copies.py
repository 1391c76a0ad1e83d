"""Laws of packed copies: each is what its single run would have been, and nothing of one copy touches another."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from support import COVERING, EVERY, Digits, Recorder, Replay, tiny, train, weights
from torch import Tensor, nn

from gan.base.errors import UserError
from gan.base.stacks import StackedGenerator, over_copies
from gan.engine.copies import Pack, packed, whole_checkpoint
from gan.engine.game import AdversarialModule
from gan.parts.networks.layers import batch_norms
from gan.parts.priors import PRIORS

SEEDS = (0, 1)
# Bounds in float32 after 10 updates, by optimizer: some times the largest difference measured. Adam and RMSprop divide
# by the size of a gradient, so that they make steps of a rounding error, too.
FLOAT32 = {"momentum_sgd": 1e-6, "adam": 2e-3, "tensorflow_adam": 1e-5, "rmsprop": 2e-3}


class Order(Digits):
    """The digits in an order of the seed's own."""

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__(batch_size)
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        self.images, self.labels = self.images[order], self.labels[order]


class Together:
    """Stacks of the batches of several orders."""

    def __init__(self, *orders: Digits) -> None:
        self.orders = orders

    def __len__(self) -> int:
        return len(self.orders[0])

    def __iter__(self) -> Any:
        for batches in zip(*self.orders, strict=True):
            images, labels = zip(*batches, strict=True)
            yield torch.stack(images), torch.stack(labels)


def orders(module: AdversarialModule) -> list[Digits]:
    return [Order(module.recipe.batch_size, seed) for seed in SEEDS]


def copies_of(variant: str, change: dict[str, Any] | None = None) -> list[AdversarialModule]:
    return [tiny(variant, change, seed) for seed in SEEDS]


def train_packed(copies: list[AdversarialModule], steps: int, *callbacks: Any, **settings: Any) -> tuple[Pack, Any]:
    pack = packed(copies)
    return pack, train(pack, steps, *callbacks, batches=Together(*orders(copies[0])), **settings)


def train_alone(copies: list[AdversarialModule], steps: int, **settings: Any) -> list[Recorder]:
    records = [Recorder() for _ in copies]
    for copy, order, seed, record in zip(copies, orders(copies[0]), SEEDS, records, strict=True):
        torch.manual_seed(seed)  # the run's seed, which a module takes from PyTorch when it is trained
        train(copy, steps, record, batches=order, **settings)
    return records


def subtracted(module: AdversarialModule) -> set[str]:
    """Weights that change no output: biases whose layer's result a batch norm centres, and the means that hold them.

    Their gradients are rounding errors, which Adam makes steps of.
    """
    found = set()
    for name, part in module.named_modules():
        if not batch_norms(part) or part in batch_norms(part):
            continue
        for norms, layers in (("norms", "convolutions"), ("norms", "deconvolutions"), ("dense_norms", "dense")):
            for number in range(len(getattr(part, norms, []))):
                found |= {f"{name}.{layers}.{number}.bias", f"{name}.{norms}.{number}.running_mean"}
                found |= {f"{name}.{norms}.{number + 1}.running_mean", f"{name}.project.bias"}
    return found


def furthest(one: AdversarialModule, other: AdversarialModule) -> float:
    """The largest difference between the weights, running statistics and averages of two modules."""
    left_out, mine, theirs = subtracted(one), weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    return max(float((mine[n].double() - theirs[n].double()).abs().max()) for n in mine if n not in left_out)


def told_apart(records: list[Recorder], together: Recorder) -> float:
    """The largest difference between the scalars of single runs and those of their copies."""
    return max(
        float((value - together.outputs[step][tag][number]).abs())
        for number, record in enumerate(records)
        for step, scalars in enumerate(record.outputs)
        for tag, value in scalars.items()
    )


def check(variant: str, change: dict[str, Any] | None, precision: str, bound: float) -> None:
    """Train copies alone and together, and compare them."""
    alone, copies, together = copies_of(variant, change), copies_of(variant, change), Recorder()
    records = train_alone(alone, 10, precision=precision)
    pack, _ = train_packed(copies, 10, together, precision=precision)
    assert [record.updated for record in records] == [together.updated] * len(SEEDS)
    assert told_apart(records, together) < max(bound, 1e-9)
    assert max(map(furthest, alone, copies)) < bound
    assert furthest(*copies) > 1e-6  # the seeds differ
    assert weights(copies[1]).keys() == weights(pack).keys()


def some(*quick: str) -> list[Any]:
    """Every variant. Those that are not named, whose networks and rules others have, too, are slow."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in EVERY]


@pytest.mark.parametrize("variant", some(*COVERING, "ADA"))
def test_each_copy_is_its_single_run_in_float64(variant):
    check(variant, None, "64-true", 1e-9)


@pytest.mark.parametrize("variant", some("MLPGAN", "DCGAN", "UpsamplingDCGAN", "WGAN"))
def test_each_copy_is_its_single_run_in_float32_up_to_its_optimizer_s_rounding(variant):
    optimizer = EVERY[variant].defaults.discriminator_optimizer["name"]
    check(variant, None, "32-true", FLOAT32[optimizer])


ALL_NOISE = {"translation": {}, "cutout": {}, "brightness": {}, "contrast": {}, "instance_noise": {"updates": 20}}
PENALTIES = {"consistency": {"weight": 1, "interval": 2}, "zero_centred": 0.1, "gradient_penalty": 1}
RESIDUAL = {
    "generator": {"name": "residual", "channels": [6, 5, 4]},
    "discriminator": {"name": "residual", "channels": [4, 6]},
}
RAMP = {"name": "linear_ramp", "final": 0.9, "updates": 5}
RULES: list[tuple[str, dict[str, Any]]] = [
    ("MLPGAN", {"updates": "simultaneous", "generator_penalties": {"l2": 0.01}, "latent": "fresh"}),
    ("MLPGAN", {"discriminator": {"dropout": 0.3, "norm": "spectral"}, "pretraining": 3}),
    ("DCGAN", {"d_steps": 2, "g_steps": 3, "latent": "shared", "ema_decay": 0.9}),
    ("DCGAN", {"augmentations": ALL_NOISE, "packing": 2, "loss": "relativistic_average"}),
    ("DCGAN", {"discriminator_update": "real_then_fake", "frozen_batch_norm": "moving", "fakes": "inference"}),
    ("DCGAN", {"discriminator": {"norm": "none"}, "weight_clip": 0.05, "discriminator_penalties": PENALTIES}),
    ("ConditionalGAN", {"discriminator": {"labels": "projection", "norm": "spectral", "minibatch_stddev": True}}),
    ("ADA", {"discriminator_penalties": {"mylab.penalties.one_sided": 1.0}, "prior": "mylab.priors.student_t"}),
    ("DCGAN", {**RESIDUAL, "schedules": {"loss": {"real_label": RAMP}}}),
]


@pytest.mark.parametrize(("variant", "change"), RULES)
def test_each_rule_of_a_recipe_holds_for_each_copy(variant, change):
    check(variant, change, "64-true", 1e-9)


def test_a_copy_that_diverges_does_not_touch_the_others():
    sound, mixed = copies_of("ACGAN"), copies_of("ACGAN")
    with torch.no_grad():
        next(mixed[1].generator.parameters()).fill_(torch.nan)
    train_packed(sound, 5)
    train_packed(mixed, 5)
    assert all(torch.equal(a, b) for a, b in zip(weights(sound[0]).values(), weights(mixed[0]).values(), strict=True))
    assert all(weight.isnan().any() for weight in mixed[1].discriminator.parameters())


@pytest.mark.parametrize("variant", ["MLPGAN", "FullResolutionDCGAN", "WGAN", "ADA"])
def test_a_copy_goes_on_alone_and_the_pack_goes_on_whole(variant, tmp_path):
    """From a checkpoint in the middle of a round, where the recipe has one."""
    straight, halfway, record = copies_of(variant), copies_of(variant), Recorder()
    train_packed(straight, 7, record, precision="64-true")
    pack, trainer = train_packed(halfway, 4, precision="64-true")
    content = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
    saved = [deepcopy(pack.own_checkpoint(number, content)) for number in range(len(SEEDS))]
    rest = record.batches[trainer.fit_loop.epoch_loop.batch_progress.total.completed :]

    alone = tiny(variant, seed=5).double()
    torch.save(saved[1], tmp_path / "alone.ckpt")
    torch.manual_seed(SEEDS[1])
    own = Replay([(images[1], labels[1]) for images, labels in rest])
    train(alone, 7, batches=own, ckpt_path=tmp_path / "alone.ckpt", precision="64-true")
    assert furthest(alone, straight[1]) < 1e-9

    again = [tiny(variant, seed=5).double() for _ in SEEDS]
    for copy, content in zip(again, saved, strict=True):
        copy.load_state_dict(content["state_dict"])
    torch.save(whole_checkpoint(saved), tmp_path / "whole.ckpt")
    train(packed(again), 7, batches=Replay(rest), ckpt_path=tmp_path / "whole.ckpt", precision="64-true")
    for copy, expected in zip(again, straight, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(weights(copy).values(), weights(expected).values(), strict=True))


@pytest.mark.parametrize("prior", PRIORS.values())
def test_each_copy_draws_what_it_would_draw_by_itself(prior):
    together = StackedGenerator([torch.Generator().manual_seed(seed) for seed in SEEDS])
    drawn = over_copies(lambda real: prior((len(real), 16), together), len(SEEDS), torch.zeros(len(SEEDS), 9))
    for seed, own in zip(SEEDS, drawn, strict=True):
        assert torch.equal(own, prior((9, 16), torch.Generator().manual_seed(seed)))


class Gain(nn.Module):
    """One number that is learnt, of no dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))


class Louder(AdversarialModule):
    """Has a module of G's with a parameter of no dimension."""

    defaults = EVERY["WGANGP"].defaults

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.add_modules("generator", louder=Gain())

    def generator_loss(self, look: Any) -> Tensor:
        return super().generator_loss(look) * self.louder.gain


def test_an_optimizer_s_state_is_that_of_the_copies_put_together():
    recipe = tiny("WGANGP").recipe
    pack, trainer = train_packed([Louder(recipe), Louder(recipe)], 2)
    content = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
    parts = [pack.own_checkpoint(number, content) for number in range(len(SEEDS))]
    shapes = {tuple(v.shape) for own in parts[0]["optimizer_states"][0]["state"].values() for v in own.values()}
    assert () in shapes
    for whole, expected in zip(whole_checkpoint(parts)["optimizer_states"], content["optimizer_states"], strict=True):
        for place, values in expected["state"].items():
            assert all(torch.equal(whole["state"][place][key], value) for key, value in values.items())


class Forgetful(AdversarialModule):
    """Sets a buffer to a new tensor."""

    defaults = EVERY["MLPGAN"].defaults

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.register_buffer("steps", torch.zeros(()))

    def after_step(self, outcome: Any) -> None:
        self.steps = self.steps + 1


class Drawing(AdversarialModule):
    """Draws from PyTorch's global state, which is no copy's own."""

    defaults = EVERY["MLPGAN"].defaults

    def augment(self, images: Tensor) -> Tensor:
        return nn.functional.dropout(images)


class Deciding(AdversarialModule):
    """Decides by a number that each copy has for itself."""

    defaults = EVERY["MLPGAN"].defaults

    def after_step(self, outcome: Any) -> None:
        if outcome["scalars"]["loss/generator"] > 0:
            raise AssertionError


@pytest.mark.parametrize(
    ("made", "said"),
    [(Forgetful, "buffer steps is set to a new tensor"), (Drawing, "random operation"), (Deciding, "data-dependent")],
)
def test_what_cannot_be_packed_is_refused_by_name(made, said):
    recipe = tiny("MLPGAN").recipe
    with pytest.raises(UserError, match=f"copies: {made.__name__} with this recipe cannot be packed .*{said}"):
        train_packed([made(recipe), made(recipe)], 2)


def test_recipes_that_are_no_one_program_are_refused():
    with pytest.raises(UserError, match=r"copies: recipe\.balance"):
        packed(copies_of("MLPGAN", {"balance": {"low": 0.1, "high": 0.9}}))
    with pytest.raises(UserError, match=r"recipe\.generator_optimizer torch\.optim\.Adagrad"):
        packed(
            copies_of("MLPGAN", {"generator_optimizer": {"name": "torch.optim.Adagrad"}, "generator_schedules": None})
        )
