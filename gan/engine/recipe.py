"""The recipe: every value of a GAN system that an ablation may change, as plain frozen data that checks itself."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gan.base.choices import Choice, bound, frozen, merge, nearest, resolve, thawed
from gan.base.errors import UserError, usable
from gan.engine.checks import build, complete_and_check, named_function
from gan.engine.rounds import Balance
from gan.parts.auxiliaries import AUXILIARIES, Auxiliary
from gan.parts.inits import INITS
from gan.parts.losses import LOSSES, Loss
from gan.parts.networks import DISCRIMINATORS, GENERATORS
from gan.parts.optimizers import OPTIMIZERS, SCHEDULES
from gan.parts.priors import PRIORS

Schedule = Callable[[float, int], float]  # of (the value at step 0, the step)


def _choice(registry: Mapping[str, Any], engines: tuple[str, ...] = (), **settings: Any) -> Any:
    """A field that holds a choice; `engines` are the parameters that the engine supplies by name."""
    return field(metadata={"registry": registry, "engines": engines}, **settings)


class Penalty(NamedTuple):
    """`weight` times `function`, in every `interval`-th update of the network, then `interval` times as much."""

    function: Callable[..., Any]  # (network, real, fake, labels, noise, step) -> scalar
    weight: Callable[[int], float]  # of the step
    interval: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Values of one system, all of them: a choice holds its parameters with the defaults written out.

    Choices are as in `gan.base.choices`. A recipe cannot be changed, at any depth; `merged` makes another one. Raises
    UserError, in one line that names the field, for a value that cannot be used.
    """

    # Networks. A generator gets (latent_dim, image_shape, num_classes), a discriminator (image_shape, num_classes).
    generator: Choice = _choice(GENERATORS)
    discriminator: Choice = _choice(DISCRIMINATORS, engines=("outputs",))
    latent_dim: int
    # Initial distributions of the weights and biases of linear and convolutional layers.
    generator_weights: Choice = _choice(INITS)
    generator_biases: Choice = _choice(INITS)
    discriminator_weights: Choice = _choice(INITS)
    discriminator_biases: Choice = _choice(INITS)
    output_bias: str = "drawn"  # of G's last layer, or such that the first images have the pixels' mean: `marginals`
    # Objective. Penalties map a name to its weight, or to {weight, interval, parameter: …}.
    prior: Choice = _choice(PRIORS)
    loss: Choice = _choice(LOSSES)
    auxiliary: Choice | None = _choice(AUXILIARIES, default=None)  # loss of a head of D that both networks minimise
    generator_penalties: Mapping[str, Any] = field(default_factory=dict)
    discriminator_penalties: Mapping[str, Any] = field(default_factory=dict)
    weight_clip: float = 0.0  # D's weights stay in [-weight_clip, weight_clip]; 0: no bound (WGAN has 0.01)
    # What D sees of real and fake images alike: augmentations, a name to its parameters, then `packing` images as one.
    augmentations: Mapping[str, Any] = field(default_factory=dict)
    packing: int = 1
    # Optimizers, and schedules of their values: `lr` runs on the clock (G updates), others on a network's own updates.
    generator_optimizer: Choice = _choice(OPTIMIZERS)
    discriminator_optimizer: Choice = _choice(OPTIMIZERS)
    generator_schedules: Mapping[str, Any] = field(default_factory=dict)
    discriminator_schedules: Mapping[str, Any] = field(default_factory=dict)
    # Schedules of any other number, on the clock, in the places that the numbers have in the recipe:
    # {discriminator_penalties: {r1: {weight: {name: linear_ramp, final: 0, updates: 5000}}}}
    schedules: Mapping[str, Any] = field(default_factory=dict)
    step_count: str = "own"  # t of both `tensorflow_adam`s' bias correction: `own` updates, or `shared` by the two
    # The round: `d_steps` D updates, a batch each, then `g_steps` G updates.
    batch_size: int  # real images an update, over all processes
    sampling: str = "permutation"  # real images: one `permutation` after another, or drawn with `replacement`
    real_range: str = "output"  # that real images are scaled to: that of G's `output`, or `unit`: [0, 1]
    latent: str = "fresh"  # the G update's noise: `shared` with the D update of its round, or `fresh`
    fakes: str = "training"  # G's mode when it makes D's fakes; `inference`: no dropout, moving statistics
    updates: str = "alternating"  # G learns from D's new weights, or `simultaneous`: both gradients at the same weights
    discriminator_update: str = "joint"  # one update on both batches, or `real_then_fake`: one on each
    frozen_batch_norm: str = "batch"  # D's statistics in the G update: those of the `batch`, or `moving` ones
    d_steps: int = 1
    g_steps: int = 1
    pretraining: int = 0  # D updates before the first of G
    balance: Balance | None = None
    ema_decay: float = 0.0  # of the average of G's weights that is sampled and measured, per G update; 0: none

    def __post_init__(self) -> None:
        for name, value in complete_and_check(self).items():
            object.__setattr__(self, name, frozen(value))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recipe":
        return self  # nobody can change it

    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe.from_dict, (self.to_dict(),)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """A recipe from plain values: what `to_dict` gives, or less where the defaults do."""
        return build(cls, values, "recipe")

    def to_dict(self) -> dict[str, Any]:
        """All plain values, fit for YAML, JSON and a checkpoint: dicts, lists, strings, numbers, booleans, None."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {n: dataclasses.asdict(v) if isinstance(v, Balance) else thawed(v) for n, v in values.items()}

    def merged(self, change: Mapping[str, Any]) -> "Recipe":
        """This recipe with an ablation's diff over it: `MLPGAN.defaults.merged({"prior": "uniform"})`.

        A null in the diff takes a key away; a parameter without its key has its default.
        """
        return Recipe.from_dict(merge(self.to_dict(), change, remove=True))

    def resolve(self, name: str) -> Callable[..., Any]:
        """The function or class that a choice field names, with the choice's parameters bound to it."""
        about = self.__dataclass_fields__[name].metadata
        return bound(*resolve(getattr(self, name), about["registry"], f"recipe.{name}", about["engines"]))

    def schedule(self, *path: str) -> Schedule | None:
        """The schedule of the number at a path, such as ("discriminator_penalties", "r1", "weight"); None without."""
        tree: Any = self.schedules
        for key in path:
            if key not in tree:
                return None
            tree = tree[key]
        return bound(*resolve(tree, SCHEDULES, "recipe.schedules." + ".".join(path)))

    def number(self, name: str, step: int) -> float:
        """A number of the recipe at a step of the clock."""
        schedule = self.schedule(name) if self.schedules else None
        value = getattr(self, name)
        return schedule(value, step) if schedule else value

    def optimizer_schedules(self, player: str) -> dict[str, Schedule]:
        """The schedules of a network's optimizer, by the value that they vary."""
        items = getattr(self, f"{player}_schedules").items()
        return {value: bound(*resolve(choice, SCHEDULES, value)) for value, choice in items}

    def objective(self, step: int = 0) -> Loss:
        """The loss at a step of the clock: a `gan.parts.losses.Loss`, or what a function makes one of."""
        with usable(f"recipe.loss {self.loss['name']!r}"):  # type: ignore[index]
            made = self._varying(self.resolve("loss"), "loss")
            loss: object = made(step) if callable(made) else made
        if not isinstance(loss, Loss):
            raise UserError(f"recipe.loss: {thawed(self.loss)!r} is not a gan.parts.losses.Loss; {nearest('', LOSSES)}")
        return loss

    def auxiliary_loss(self, step: int = 0) -> Auxiliary | None:
        """The loss of D's head at a step of the clock, if D has one."""
        if self.auxiliary is None:
            return None
        with usable(f"recipe.auxiliary {self.auxiliary['name']!r}"):  # type: ignore[index]
            return self._varying(self.resolve("auxiliary"), "auxiliary")(step)

    def penalties(self, player: str) -> list[Penalty]:
        """A network's penalties. One whose weight is 0 for ever is none, and draws no random number."""
        found, field_name = [], f"{player}_penalties"
        for name, settings in getattr(self, field_name).items():
            function = self._varying(named_function(self, field_name, name), field_name, name, takes_step=True)
            schedule, weight = self.schedule(field_name, name, "weight"), settings["weight"]
            if schedule or weight:
                found.append(Penalty(function, _following(schedule, weight), settings["interval"]))
        return found

    def augmenters(self) -> list[Callable[..., Any]]:
        """Functions of (images, noise, step), in their order."""
        names = self.augmentations
        return [
            self._varying(named_function(self, "augmentations", name), "augmentations", name, takes_step=True)
            for name in names
        ]

    def _varying(self, function: Any, *path: str, takes_step: bool = False) -> Any:
        """`function` as a function that ends in the step, which the parameters with a schedule follow.

        `takes_step` says that `function` itself ends in the step; else the step is not handed on.
        """
        if not callable(function):
            return function
        values = getattr(function, "keywords", {})
        schedules = {name: s for name in values if (s := self.schedule(*path, name))}

        def at_step(*inputs: Any) -> Any:
            now = {name: schedule(values[name], inputs[-1]) for name, schedule in schedules.items()}
            return function(*(inputs if takes_step else inputs[:-1]), **now)

        return function if takes_step and not schedules else at_step


def _following(schedule: Schedule | None, value: float) -> Callable[[int], float]:
    """A function of the step: the value, or what its schedule makes of it."""
    return (lambda step: schedule(value, step)) if schedule else (lambda step: value)
