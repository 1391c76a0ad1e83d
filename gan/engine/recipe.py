"""The recipe: every value of a GAN system that an ablation may change, as plain frozen data that checks itself."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from gan.base.choices import Choice, bound, is_number, merge, nearest, normalise, resolve
from gan.base.errors import UserError, usable
from gan.engine.balance import Balance
from gan.parts.augmentations import AUGMENTATIONS
from gan.parts.auxiliaries import AUXILIARIES, Auxiliary
from gan.parts.inits import INITS
from gan.parts.losses import LOSSES, Loss
from gan.parts.networks import DISCRIMINATORS, GENERATORS
from gan.parts.optimizers import OPTIMIZERS, SCHEDULES, TensorFlowAdam
from gan.parts.penalties import GENERATOR_PENALTIES, PENALTIES
from gan.parts.priors import PRIORS

# Fields that are one of a few words, the default first.
WORDS = {
    "step_count": ("own", "shared"),
    "sampling": ("permutation", "replacement"),
    "real_range": ("output", "unit"),
    "output_bias": ("drawn", "marginals"),
    "latent": ("fresh", "shared"),
    "fakes": ("training", "inference"),
    "updates": ("alternating", "simultaneous"),
    "discriminator_update": ("joint", "real_then_fake"),
    "frozen_batch_norm": ("batch", "moving"),
}


# Whole numbers, and the least that each may be.
WHOLE = {"latent_dim": 1, "batch_size": 1, "d_steps": 1, "g_steps": 1, "packing": 1, "pretraining": 0}
REGISTRIES = {"generator": GENERATOR_PENALTIES, "discriminator": PENALTIES}


def _choice(registry: Mapping[str, Any], **settings: Any) -> Any:
    return field(metadata={"registry": registry}, **settings)


class Penalty(NamedTuple):
    """`weight` times `function`, in every `interval`-th update of the network, then `interval` times as much."""

    function: Callable[..., Any]
    weight: float
    interval: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Values of one system. Choices are as in `gan.base.choices`; mappings merge key by key, and null removes a key.

    Raises UserError, in one line that names the field, for a value that cannot be used.
    """

    # Networks. A generator gets (latent_dim, image_shape, num_classes), a discriminator (image_shape, num_classes).
    generator: Choice = _choice(GENERATORS)
    discriminator: Choice = _choice(DISCRIMINATORS)
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
    generator_penalties: dict[str, Any] = field(default_factory=dict)
    discriminator_penalties: dict[str, Any] = field(default_factory=dict)
    weight_clip: float = 0.0  # D's weights stay in [-weight_clip, weight_clip]; 0: no bound (WGAN has 0.01)
    # What D sees of real and fake images alike: augmentations, a name to its parameters, then `packing` images as one.
    augmentations: dict[str, Any] = field(default_factory=dict)
    packing: int = 1
    # Optimizers, and schedules of their values: `lr` runs on the clock (G updates), others on a network's own updates.
    generator_optimizer: Choice = _choice(OPTIMIZERS)
    discriminator_optimizer: Choice = _choice(OPTIMIZERS)
    generator_schedules: dict[str, Choice] = field(default_factory=dict)
    discriminator_schedules: dict[str, Choice] = field(default_factory=dict)
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
        for name in self.choice_fields():
            registry = self.__dataclass_fields__[name].metadata["registry"]
            object.__setattr__(self, name, normalise(getattr(self, name), f"recipe.{name}"))
            resolve(getattr(self, name), registry, f"recipe.{name}")
        for name, least in WHOLE.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UserError(f"recipe.{name} must be a whole number of at least {least}, got {value!r}")
        for name, below in (("weight_clip", math.inf), ("ema_decay", 1)):
            if not is_number(getattr(self, name)) or not 0 <= getattr(self, name) < below:
                raise UserError(f"recipe.{name} must be a number from 0 to below {below}, got {getattr(self, name)!r}")
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise UserError(f"recipe.{name} must be one of {', '.join(words)}, got {getattr(self, name)!r}")
        for player in ("generator", "discriminator"):
            self._check_penalties(player)
            self._check_schedules(player)
        self._check_augmentations()
        self._check_together()

    def _check_together(self) -> None:
        """What fields ask of each other."""
        loss = self.objective()
        with usable("recipe.prior"):
            latent = self.resolve("prior")((2, self.latent_dim), torch.Generator()) if self.latent_dim < 2**20 else None
            if latent is None or latent.shape != (2, self.latent_dim) or not latent.is_floating_point():
                raise UserError(f"recipe.prior, recipe.latent_dim: cannot draw latents of {self.latent_dim} numbers")
        if self.auxiliary is not None and not isinstance(self.auxiliary_loss(), Auxiliary):
            raise UserError(f"recipe.auxiliary: {self.auxiliary!r} makes no gan.parts.auxiliaries.Auxiliary")
        if self._code("auxiliary") not in (None, self._code("prior")):
            raise UserError("recipe.auxiliary: code needs the prior coded, with the same categories and continuous")
        if self.step_count == "shared":
            for player in ("generator", "discriminator"):
                optimizer = self.resolve(f"{player}_optimizer")([torch.nn.Parameter(torch.zeros(1))])
                if not isinstance(optimizer, TensorFlowAdam):
                    raise UserError("recipe.step_count: shared needs tensorflow_adam for both networks")
        if self.discriminator_update == "real_then_fake" and loss.halves is None:
            raise UserError(f"recipe.discriminator_update: real_then_fake needs a sum of two losses, not {self.loss}")
        if self.discriminator_update == "real_then_fake" and self.updates == "simultaneous":
            raise UserError("recipe.updates: simultaneous needs one D update a batch: discriminator_update joint")
        if self.batch_size % self.packing:
            raise UserError(f"recipe.packing {self.packing} does not divide recipe.batch_size {self.batch_size}")
        if isinstance(self.balance, Mapping):
            object.__setattr__(self, "balance", _build(Balance, self.balance, "recipe.balance"))
        if not isinstance(self.balance, Balance | None):
            raise UserError(f"recipe.balance must be {{low: …, high: …}}, got {self.balance!r}")
        if self.balance is not None and loss.boundary is None:
            raise UserError(f"recipe.balance: of {self.loss} D's accuracy means nothing, and cannot decide who learns")
        if self.balance is not None and (self.d_steps, self.g_steps) != (1, 1):
            raise UserError("recipe.balance decides who is updated: it needs d_steps = g_steps = 1")

    def _code(self, name: str) -> list[int] | None:
        """Sizes of InfoGAN's code that a field says; None for a prior that draws none."""
        choice = normalise(getattr(self, name) or "none", name)
        return (
            [choice.get("categories", 10), choice.get("continuous", 2)] if choice["name"] in ("code", "coded") else None
        )

    def _check_penalties(self, player: str) -> None:
        """Each as {weight, interval, parameter: …}, its parameters tried out."""
        field_name, registry = f"{player}_penalties", REGISTRIES[player]
        penalties: dict[str, Any] = {}
        for name, value in self._mapping(field_name).items():
            where = f"recipe.{field_name}.{name}"
            settings = {"interval": 1, **(value if isinstance(value, Mapping) else {"weight": value})}
            weight, interval = settings.get("weight"), settings["interval"]
            if not is_number(weight):
                raise UserError(f"{where} must be a number (its weight), or {{weight: …, interval: …}}, got {value!r}")
            if not isinstance(interval, int) or isinstance(interval, bool) or interval < 1:
                raise UserError(f"{where}.interval must be a whole number of at least 1, got {interval!r}")
            settings = {key: item for key, item in settings.items() if item is not None}
            penalty = bound(*_named(name, settings, registry, f"recipe.{field_name}"))
            with usable(where):
                inspect.signature(penalty).bind(*"nrfln")  # (network, real, fake, labels, noise)
                if name in registry and name != "l2":  # a parameter out of range
                    penalty(lambda seen, labels: seen.flatten(1), *torch.zeros(2, 2, 1, 4, 4), None, torch.Generator())
            penalties[name] = {"weight": weight, **settings}
        object.__setattr__(self, field_name, penalties)

    def _check_augmentations(self) -> None:
        """Each as {parameter: …}, tried out on a pair of images."""
        augmentations: dict[str, Any] = {}
        for name, value in self._mapping("augmentations").items():
            if not isinstance(value, Mapping):
                raise UserError(f"recipe.augmentations.{name} must be a mapping of its parameters, got {value!r}")
            augmentations[name] = {key: item for key, item in value.items() if item is not None}
        object.__setattr__(self, "augmentations", augmentations)
        for augment, name in zip(self.augmenters(), augmentations, strict=True):
            with usable(f"recipe.augmentations.{name}"):
                if augment(torch.zeros(2, 1, 8, 8), torch.Generator(), 0).shape != (2, 1, 8, 8):
                    raise UserError(f"recipe.augmentations.{name}: changes the images' shape")

    def _check_schedules(self, player: str) -> None:
        """Each varies a value that the optimizer has, and gives finite numbers."""
        schedules = self._mapping(f"{player}_schedules")
        optimizer = getattr(self, f"{player}_optimizer")
        with usable(f"recipe.{player}_optimizer"):
            values = self.resolve(f"{player}_optimizer")([torch.nn.Parameter(torch.zeros(1))]).param_groups[0]
        for value, schedule in schedules.items():
            where = f"recipe.{player}_schedules.{value}"
            if value not in optimizer or value not in values:
                raise UserError(
                    f"{where}: the {player}'s optimizer {optimizer['name']!r} is not given a {value!r} to vary; "
                    f"{nearest(value, optimizer.keys() & values.keys())}; remove the schedule with null"
                )
            with usable(where):
                value_at = bound(*resolve(schedule, SCHEDULES, where))
                if not all(math.isfinite(value_at(values[value], step)) for step in (0, 1)):
                    raise UserError(f"{where}: gives no finite number")
        object.__setattr__(self, f"{player}_schedules", {k: normalise(v, k) for k, v in schedules.items()})

    def _mapping(self, name: str) -> dict[str, Any]:
        """A field that must be a mapping, without nulls."""
        if not isinstance(getattr(self, name), Mapping):
            raise UserError(f"recipe.{name} must be a mapping, got {getattr(self, name)!r}")
        return {key: value for key, value in getattr(self, name).items() if value is not None}

    def choice_fields(self) -> list[str]:
        """Names of the fields that hold a choice."""
        fields = [f.name for f in dataclasses.fields(self) if "registry" in f.metadata]
        return [name for name in fields if getattr(self, name) is not None]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """A recipe from all its plain values, as `to_dict` gives them."""
        return _build(cls, values, "recipe")

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, fit for YAML, JSON and a checkpoint."""
        return dataclasses.asdict(self)

    def merged(self, change: Mapping[str, Any]) -> "Recipe":
        """This recipe with an ablation's diff over it: `MLPGAN.defaults.merged({"prior": "uniform"})`."""
        return Recipe.from_dict(merge(self.to_dict(), change))

    def resolve(self, name: str) -> Callable[..., Any]:
        """The function or class that a choice field names, with the choice's parameters bound to it."""
        registry = self.__dataclass_fields__[name].metadata["registry"]
        return bound(*resolve(getattr(self, name), registry, f"recipe.{name}"))

    def schedules(self, player: str) -> dict[str, Callable[[float, int], float]]:
        """The schedules of a network's optimizer, by the value that they vary."""
        items = getattr(self, f"{player}_schedules").items()
        return {value: bound(*resolve(choice, SCHEDULES, value)) for value, choice in items}

    def objective(self) -> Loss:
        """The loss: a `gan.parts.losses.Loss`, or what a function makes one from its parameters."""
        made = self.resolve("loss")
        with usable(f"recipe.loss {normalise(self.loss, 'loss')['name']!r}"):
            loss: object = made() if callable(made) else made
        if not isinstance(loss, Loss):
            raise UserError(f"recipe.loss: {self.loss!r} is not a gan.parts.losses.Loss; {nearest('', LOSSES)}")
        return loss

    def auxiliary_loss(self) -> Auxiliary | None:
        """The loss of D's head, if it has one."""
        if self.auxiliary is None:
            return None
        with usable(f"recipe.auxiliary {normalise(self.auxiliary, 'auxiliary')['name']!r}"):
            return self.resolve("auxiliary")()

    def penalties(self, player: str) -> list[Penalty]:
        """A network's penalties; one of weight 0 is none, and draws no random number."""
        found = []
        for name, settings in getattr(self, f"{player}_penalties").items():
            function = bound(*_named(name, settings, REGISTRIES[player], f"recipe.{player}_penalties"))
            found.append(Penalty(function, settings["weight"], settings["interval"]))
        return [penalty for penalty in found if penalty.weight]

    def augmenters(self) -> list[Callable[..., Any]]:
        """Functions of (images, noise, step), in their order."""
        items = self.augmentations.items()
        return [bound(*_named(name, settings, AUGMENTATIONS, "recipe.augmentations")) for name, settings in items]


def _named(
    name: str, settings: Mapping[str, Any], registry: Mapping[str, Any], where: str
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What a key of a mapping names, with its own parameters: neither weight nor interval."""
    if "name" in settings:
        raise UserError(f"{where}.{name} has no parameter 'name': the key names it")
    own = {key: value for key, value in settings.items() if key not in ("weight", "interval")}
    return resolve({"name": name, **own}, registry, where)


def _build(cls: Any, values: Mapping[str, Any], where: str) -> Any:
    """A dataclass from plain values; unknown and missing fields are refused by name."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            raise UserError(f"{where} has no field {key!r}; {nearest(key, fields)}")
    required = [n for n, f in fields.items() if f.default is dataclasses.MISSING is f.default_factory]
    missing = [name for name in required if values.get(name) is None]
    if missing:
        raise UserError(f"{where} needs {', '.join(missing)}")
    return cls(**values)
