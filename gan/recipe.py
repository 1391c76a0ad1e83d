"""The recipe: every value of a GAN system that an ablation may change, as plain frozen data that checks itself."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from gan.choices import Choice, merge, nearest, normalise, resolve
from gan.errors import UserError, usable
from gan.inits import INITS
from gan.losses import LOSSES, Loss
from gan.networks import DISCRIMINATORS, GENERATORS
from gan.optimizers import OPTIMIZERS, SCHEDULES, TensorFlowAdam
from gan.penalties import PENALTIES
from gan.priors import PRIORS

# Fields that are one of a few words, the default first.
WORDS = {
    "step_count": ("own", "shared"),
    "sampling": ("permutation", "replacement"),
    "real_range": ("output", "unit"),
    "latent": ("fresh", "shared"),
    "fakes": ("training", "inference"),
    "discriminator_update": ("joint", "real_then_fake"),
    "frozen_batch_norm": ("batch", "moving"),
}


def _choice(registry: Mapping[str, Any]) -> Any:
    return field(metadata={"registry": registry})


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Train only the weaker network until it is strong enough (001, "The Training Process", point 3).

    Before each batch D's accuracy on it (the mean of both halves, in [0, 1]) decides: below `low` only D is updated,
    above `high` only G. After `patience` one-sided batches in a row both are, so that training cannot stand still.
    """

    low: float
    high: float
    patience: int = 10

    def __post_init__(self) -> None:
        if not (0 <= self.low <= self.high <= 1 and self.patience >= 1):
            raise UserError(f"recipe: balance needs 0 <= low <= high <= 1 and patience >= 1, got {self}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Values of one system. Choices are as in `gan.choices`; mappings merge key by key, and null removes a key.

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
    # Objective. Penalties map a name to its weight.
    prior: Choice = _choice(PRIORS)
    loss: Choice = _choice(LOSSES)
    generator_penalties: dict[str, float] = field(default_factory=dict)
    discriminator_penalties: dict[str, float] = field(default_factory=dict)
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
    discriminator_update: str = "joint"  # one update on both batches, or `real_then_fake`: one on each
    frozen_batch_norm: str = "batch"  # D's statistics in the G update: those of the `batch`, or `moving` ones
    d_steps: int = 1
    g_steps: int = 1
    balance: Balance | None = None

    def __post_init__(self) -> None:
        for name in self.choice_fields():
            registry = self.__dataclass_fields__[name].metadata["registry"]
            object.__setattr__(self, name, normalise(getattr(self, name), f"recipe.{name}"))
            resolve(getattr(self, name), registry, f"recipe.{name}")
        loss: object = self.resolve("loss")
        if not isinstance(loss, Loss):
            raise UserError(f"recipe.loss: {self.loss!r} is not a gan.losses.Loss; {nearest('', LOSSES)}")
        for player in ("generator", "discriminator"):
            self._check_player(player)
        for name in ("latent_dim", "batch_size", "d_steps", "g_steps"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"recipe.{name} must be a whole number of at least 1, got {value!r}")
        with usable("recipe.prior"):
            latent = self.resolve("prior")((2, self.latent_dim), torch.Generator()) if self.latent_dim < 2**20 else None
            if latent is None or latent.shape != (2, self.latent_dim) or not latent.is_floating_point():
                raise UserError(f"recipe.prior, recipe.latent_dim: cannot draw latents of {self.latent_dim} numbers")
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise UserError(f"recipe.{name} must be one of {', '.join(words)}, got {getattr(self, name)!r}")
        if self.step_count == "shared":
            for player in ("generator", "discriminator"):
                optimizer = self.resolve(f"{player}_optimizer")([torch.nn.Parameter(torch.zeros(1))])
                if not isinstance(optimizer, TensorFlowAdam):
                    raise UserError("recipe.step_count: shared needs tensorflow_adam for both networks")
        if self.discriminator_update == "real_then_fake" and loss.halves is None:
            raise UserError(f"recipe.discriminator_update: real_then_fake needs a sum of two losses, not {self.loss}")
        if isinstance(self.balance, Mapping):
            object.__setattr__(self, "balance", _build(Balance, self.balance, "recipe.balance"))
        if self.balance is not None and (self.d_steps, self.g_steps) != (1, 1):
            raise UserError("recipe.balance decides who is updated: it needs d_steps = g_steps = 1")

    def _check_player(self, player: str) -> None:
        """Penalties and schedules of one network."""
        for suffix in ("penalties", "schedules"):
            name = f"{player}_{suffix}"
            if not isinstance(getattr(self, name), Mapping):
                raise UserError(f"recipe.{name} must be a mapping, got {getattr(self, name)!r}")
            object.__setattr__(self, name, {k: v for k, v in getattr(self, name).items() if v is not None})
        for name, weight in getattr(self, f"{player}_penalties").items():
            resolve(name, PENALTIES, f"recipe.{player}_penalties")
            if not isinstance(weight, int | float) or isinstance(weight, bool) or not math.isfinite(weight):
                raise UserError(f"recipe.{player}_penalties.{name} must be a number (its weight), got {weight!r}")
        optimizer = getattr(self, f"{player}_optimizer")
        with usable(f"recipe.{player}_optimizer"):
            values = self.resolve(f"{player}_optimizer")([torch.nn.Parameter(torch.zeros(1))]).param_groups[0]
        for value, schedule in getattr(self, f"{player}_schedules").items():
            where = f"recipe.{player}_schedules.{value}"
            if value not in optimizer:
                raise UserError(
                    f"{where}: the {player}'s optimizer {optimizer['name']!r} is not given a {value!r} to vary; "
                    f"{nearest(value, set(optimizer) - {'name'})}; remove the schedule with null"
                )
            with usable(where):
                value_at = _bound(*resolve(schedule, SCHEDULES, where))
                if not all(math.isfinite(value_at(values[value], step)) for step in (0, 1)):
                    raise UserError(f"{where}: gives no finite number")
        schedules = {k: normalise(v, k) for k, v in getattr(self, f"{player}_schedules").items()}
        object.__setattr__(self, f"{player}_schedules", schedules)

    @classmethod
    def choice_fields(cls) -> list[str]:
        """Names of the fields that hold one choice."""
        return [f.name for f in dataclasses.fields(cls) if "registry" in f.metadata]

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
        return _bound(*resolve(getattr(self, name), registry, f"recipe.{name}"))

    def schedules(self, player: str) -> dict[str, Callable[[float, int], float]]:
        """The schedules of a network's optimizer, by the value that they vary."""
        items = getattr(self, f"{player}_schedules").items()
        return {value: _bound(*resolve(choice, SCHEDULES, value)) for value, choice in items}

    def penalties(self, player: str) -> list[tuple[float, Callable[..., Any]]]:
        """Weight and function of each of a network's penalties."""
        items = getattr(self, f"{player}_penalties").items()
        return [(weight, resolve(name, PENALTIES, "penalty")[0]) for name, weight in items]


def _bound(target: Callable[..., Any], parameters: dict[str, Any]) -> Callable[..., Any]:
    return partial(target, **parameters) if parameters else target


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
