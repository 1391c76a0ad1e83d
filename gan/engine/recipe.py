"""The recipe: every value of a GAN system that an ablation may change, as plain frozen data that checks itself."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gan.base.choices import Choice, bound, frozen, merge, nearest, resolve, thawed
from gan.base.errors import UserError, usable
from gan.engine.checks import complete_and_check, named_function
from gan.engine.plain import build
from gan.engine.rounds import Balance
from gan.parts.auxiliaries import AUXILIARIES, Auxiliary
from gan.parts.inits import INITS
from gan.parts.losses import LOSSES, Loss
from gan.parts.networks import DISCRIMINATORS, GENERATORS
from gan.parts.optimizers import OPTIMIZERS, SCHEDULES
from gan.parts.priors import PRIORS

Schedule = Callable[[float, int], float]  # (value at step 0, step) -> value at that step


def _choice(registry: Mapping[str, Any], engines: tuple[str, ...] = (), **settings: Any) -> Any:
    """Return a field that holds a choice. The engine supplies the parameters `engines` by name."""
    return field(metadata={"registry": registry, "engines": engines}, **settings)


class Penalty(NamedTuple):
    """A term of a network's loss: in every `interval`-th update, `interval` times `weight` times `function`."""

    function: Callable[..., Any]  # (network, real, fake, labels, noise, step) -> scalar
    weight: Callable[[int], float]  # step -> weight
    interval: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All values of one system. A choice holds all its parameters, with the defaults written out.

    Choices have the form that `gan.base.choices` describes. A recipe cannot be changed, at any depth. `merged` makes
    another one. Raises UserError, in one line that names the field, for a value that cannot be used.
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
    output_bias: str = "drawn"  # of G's last layer: `drawn` like others, or `marginals`: set from the images' mean
    # Objective. Penalties map a name to its weight, or to {weight, interval, parameter: …}.
    prior: Choice = _choice(PRIORS)
    loss: Choice = _choice(LOSSES)
    auxiliary: Choice | None = _choice(AUXILIARIES, default=None)  # a head of D, whose loss both networks minimise
    generator_penalties: Mapping[str, Any] = field(default_factory=dict)
    discriminator_penalties: Mapping[str, Any] = field(default_factory=dict)
    weight_clip: float = 0.0  # D's weights stay in [-weight_clip, weight_clip]; 0: no bound (WGAN has 0.01)
    # What D sees of real and fake images: both are augmented, then packed, `packing` images as one. Augmentations map a
    # name to its parameters.
    augmentations: Mapping[str, Any] = field(default_factory=dict)
    packing: int = 1
    # Optimizers, and schedules of their values: `lr` follows the clock (G updates), others the network's own updates.
    generator_optimizer: Choice = _choice(OPTIMIZERS)
    discriminator_optimizer: Choice = _choice(OPTIMIZERS)
    generator_schedules: Mapping[str, Any] = field(default_factory=dict)
    discriminator_schedules: Mapping[str, Any] = field(default_factory=dict)
    # Schedules of other numbers follow the clock. Each stands in the place that its number has in the recipe:
    # {discriminator_penalties: {r1: {weight: {name: linear_ramp, final: 0, updates: 5000}}}}
    schedules: Mapping[str, Any] = field(default_factory=dict)
    step_count: str = "own"  # t in the bias correction of `tensorflow_adam`: each network's `own`, or `shared` by both
    # The round: `d_steps` D updates, a batch each, then `g_steps` G updates.
    batch_size: int  # real images in an update, over all processes
    sampling: str = "permutation"  # of real images: a new `permutation` each epoch, or drawn with `replacement`
    real_range: str = "output"  # real images are scaled to the range of G's `output`, or to `unit`: [0, 1]
    latent: str = "fresh"  # noise of a G update: `fresh`, or `shared` with the D update of its round
    fakes: str = "training"  # G's mode for D's fakes; in `inference` it has no dropout and uses moving statistics
    updates: str = "alternating"  # D before G, or `simultaneous`: both gradients are taken at the same weights
    discriminator_update: str = "joint"  # one update on real and fake images, or `real_then_fake`: one on each kind
    discriminator_batches: str = "separate"  # real and fake for a D with batch norm: `separate`, or one `mixed` batch
    frozen_batch_norm: str = "batch"  # D's statistics in a G update: those of the `batch`, or the `moving` ones
    d_steps: int = 1
    g_steps: int = 1
    pretraining: int = 0  # number of D updates before the first G update
    balance: Balance | None = None
    ema_decay: float = 0.0  # per G update, of an average of G's weights, which is sampled and measured; 0: no average

    def __post_init__(self) -> None:
        for name, value in complete_and_check(self).items():
            object.__setattr__(self, name, frozen(value))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recipe":
        return self  # a recipe cannot be changed

    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe.from_dict, (self.to_dict(),)

    @classmethod
    def of(cls, given: Any, who: str) -> "Recipe":
        """Return a recipe that was given to the variant `who`: as it is, or as a mapping of every value."""
        if isinstance(given, Recipe):
            return given
        if not isinstance(given, Mapping):
            raise UserError(f"{who}: recipe must be a Recipe or a mapping of its values, got {given!r}")
        missing = [f.name for f in dataclasses.fields(cls) if f.name not in given and f.default is f.default_factory]
        if missing:
            raise UserError(
                f"{who}: as a recipe the mapping lacks {', '.join(missing)}; to change some of its values, give "
                f"{who}({who}.defaults.merged({thawed(given)!r}))"
            )
        return cls.from_dict(given)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Return a recipe made from plain values, as `to_dict` gives them. Fields with a default may be left out."""
        return build(cls, values, "recipe")

    def to_dict(self) -> dict[str, Any]:
        """Return all values as dicts, lists, strings, numbers, booleans and None, for YAML, JSON and checkpoints."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {n: dataclasses.asdict(v) if isinstance(v, Balance) else thawed(v) for n, v in values.items()}

    @property
    def digest(self) -> str:
        """12 hex digits, which are the same for two recipes if all their values are."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:12]

    def merged(self, change: Mapping[str, Any]) -> "Recipe":
        """Return this recipe with a diff laid over it: `MLPGAN.defaults.merged({"prior": "uniform"})`.

        A null in the diff removes a key. A parameter whose key is removed has its default.
        """
        return Recipe.from_dict(merge(self.to_dict(), change, remove=True))

    def resolve(self, name: str) -> Callable[..., Any]:
        """Return the function or class that a field names, with the parameters of the choice bound to it."""
        about = self.__dataclass_fields__[name].metadata
        return bound(*resolve(getattr(self, name), about["registry"], f"recipe.{name}", about["engines"]))

    @property
    def averages(self) -> bool:
        """Whether an average of G's weights is kept."""
        return self.ema_decay > 0 or self.schedule("ema_decay") is not None

    def schedule(self, *path: str) -> Schedule | None:
        """Return the schedule of the number at a path, ("discriminator_penalties", "r1", "weight"), or None."""
        tree: Any = self.schedules
        for key in path:
            if key not in tree:
                return None
            tree = tree[key]
        return bound(*resolve(tree, SCHEDULES, "recipe.schedules." + ".".join(path)))

    def number(self, name: str, step: int) -> float:
        """Return a number of the recipe as it is at a step of the clock."""
        schedule = self.schedule(name) if self.schedules else None
        value = getattr(self, name)
        return schedule(value, step) if schedule else value

    def optimizer_schedules(self, player: str) -> dict[str, Schedule]:
        """Return the schedules of a player's optimizer, by the name of the value that each varies."""
        items = getattr(self, f"{player}_schedules").items()
        return {value: bound(*resolve(choice, SCHEDULES, value)) for value, choice in items}

    def objective(self, step: int = 0) -> Loss:
        """Return the loss at a step of the clock. UserError if what the recipe names makes no `Loss`."""
        with usable(f"recipe.loss {self.loss['name']!r}"):  # type: ignore[index]
            made = self._varying(self.resolve("loss"), "loss")
            loss: object = made(step) if callable(made) else made
        if not isinstance(loss, Loss):
            raise UserError(f"recipe.loss: {thawed(self.loss)!r} is not a gan.parts.losses.Loss; {nearest('', LOSSES)}")
        return loss

    def auxiliary_loss(self, step: int = 0) -> Auxiliary | None:
        """Return the loss of D's auxiliary head at a step of the clock, or None if D has no such head."""
        if self.auxiliary is None:
            return None
        with usable(f"recipe.auxiliary {self.auxiliary['name']!r}"):  # type: ignore[index]
            return self._varying(self.resolve("auxiliary"), "auxiliary")(step)

    def penalties(self, player: str) -> list[Penalty]:
        """Return a player's penalties. One whose weight is always 0 is left out, so that it draws no random numbers."""
        found, field_name = [], f"{player}_penalties"
        for name, settings in getattr(self, field_name).items():
            function = self._varying(named_function(self, field_name, name), field_name, name, takes_step=True)
            schedule, weight = self.schedule(field_name, name, "weight"), settings["weight"]
            if schedule or weight:
                found.append(Penalty(function, _following(schedule, weight), settings["interval"]))
        return found

    def augmenters(self) -> list[Callable[..., Any]]:
        """Return the augmentations as functions of (images, noise, step), in the recipe's order."""
        names = self.augmentations
        return [
            self._varying(named_function(self, "augmentations", name), "augmentations", name, takes_step=True)
            for name in names
        ]

    def _varying(self, function: Any, *path: str, takes_step: bool = False) -> Any:
        """Return `function` with the step as its last argument. Parameters with a schedule follow that step.

        With `takes_step` the last argument of `function` itself is the step. Otherwise it does not get the step.
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
    """Return a function of the step that gives the value, or what its schedule makes of the value."""
    return (lambda step: schedule(value, step)) if schedule else (lambda step: value)
