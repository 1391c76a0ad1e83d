"""Checks of a new recipe. Every value is completed and tried out, first alone, then together with the others."""

import dataclasses
import inspect
import math
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from gan.base.choices import bound, completed, is_number, named, nearest, resolve, thawed, without_nulls
from gan.base.errors import UserError, usable, whole
from gan.engine.plain import build
from gan.engine.rounds import Balance
from gan.parts.augmentations import AUGMENTATIONS
from gan.parts.auxiliaries import AUXILIARIES, Auxiliary
from gan.parts.losses import LOSSES
from gan.parts.optimizers import OPTIMIZERS, SCHEDULES, TensorFlowAdam, read_value
from gan.parts.penalties import GENERATOR_PENALTIES, PENALTIES

if TYPE_CHECKING:
    from gan.engine.recipe import Recipe

# Fields whose value is one of a few words. The first word is the default.
WORDS = {
    "step_count": ("own", "shared"),
    "sampling": ("permutation", "replacement"),
    "real_range": ("output", "unit"),
    "output_bias": ("drawn", "marginals"),
    "latent": ("fresh", "shared"),
    "fakes": ("training", "inference"),
    "updates": ("alternating", "simultaneous"),
    "discriminator_update": ("joint", "real_then_fake"),
    "discriminator_batches": ("separate", "mixed"),
    "frozen_batch_norm": ("batch", "moving"),
}
# Fields that are whole numbers, with the smallest allowed value.
WHOLE = {"latent_dim": 1, "batch_size": 1, "d_steps": 1, "g_steps": 1, "packing": 1, "pretraining": 0}
MOST = {"batch_size": 2**20}  # the largest value, where a larger one could only run out of memory
LATE = 10**9  # a step that no run reaches: what a schedule comes to
BELOW = {"weight_clip": math.inf, "ema_decay": 1}  # fields that are numbers from 0 to below this bound
PLAYERS = ("generator", "discriminator")
# Fields in which a number may follow a schedule. Optimizers have schedules in fields of their own.
VARIABLE = ("loss", "auxiliary", "generator_penalties", "discriminator_penalties", "augmentations", *BELOW)


def complete_and_check(recipe: "Recipe") -> dict[str, Any]:
    """Return the recipe's values in their complete form. UserError, which names the field, for an unusable value."""
    values = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
    for f in dataclasses.fields(recipe):
        if "registry" in f.metadata and values[f.name] is not None:
            values[f.name] = completed(
                values[f.name], f.metadata["registry"], f"recipe.{f.name}", f.metadata["engines"]
            )
    for name, least in WHOLE.items():
        whole(values[name], f"recipe.{name}", least, MOST.get(name))
    for name, below in BELOW.items():
        if not is_number(values[name]) or not 0 <= values[name] < below:
            raise UserError(f"recipe.{name} must be a number from 0 to below {below}, got {values[name]!r}")
    for name, words in WORDS.items():
        if values[name] not in words:
            raise UserError(f"recipe.{name} must be one of {', '.join(words)}, got {values[name]!r}")
    for player in PLAYERS:
        values[f"{player}_penalties"] = _penalties(values, player)
        values[f"{player}_schedules"] = _optimizer_schedules(values, player)
    values["augmentations"] = _augmentations(values)
    values["balance"] = _balance(values["balance"])
    values["schedules"] = _schedules(values)
    for name, value in values.items():
        object.__setattr__(recipe, name, value)
    _try_out(recipe)
    _check_together(recipe)
    return values


def _mapping(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a field that must be a mapping, without the keys that are null."""
    if not isinstance(values[name], Mapping):
        raise UserError(f"recipe.{name} must be a mapping, got {values[name]!r}")
    return {key: thawed(value) for key, value in values[name].items() if value is not None}


def registry_of(field_name: str) -> Mapping[str, Any]:
    """Return the registry of a field's keys: that of augmentations, or of the penalties that a network may have."""
    if field_name == "augmentations":
        return AUGMENTATIONS
    return GENERATOR_PENALTIES if field_name == "generator_penalties" else PENALTIES


def named_function(recipe: "Recipe", field_name: str, name: str) -> Callable[..., Any]:
    """Return the penalty or augmentation that a key names, with its parameters bound."""
    settings = getattr(recipe, field_name)[name]
    own = {key: value for key, value in settings.items() if key not in ("weight", "interval")}
    return bound(*resolve({**own, "name": name}, registry_of(field_name), f"recipe.{field_name}"))


def _own_parameters(field_name: str, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return all parameters of a penalty or an augmentation. Its name is not among them: the key names it."""
    if "name" in settings:
        raise UserError(f"recipe.{field_name}.{name} has no parameter 'name': the key names it")
    complete = completed({**settings, "name": name}, registry_of(field_name), f"recipe.{field_name}")
    return {key: value for key, value in complete.items() if key != "name"}


def _penalties(values: Mapping[str, Any], player: str) -> dict[str, Any]:
    """Return a player's penalties, each as {weight, interval, parameter: …}."""
    field_name = f"{player}_penalties"
    penalties: dict[str, Any] = {}
    for name, value in _mapping(values, field_name).items():
        where = f"recipe.{field_name}.{name}"
        settings = {"interval": 1, **(value if isinstance(value, Mapping) else {"weight": value})}
        weight, interval = settings.pop("weight", None), settings.pop("interval")
        if not is_number(weight):
            raise UserError(f"{where} must be a number (its weight), or {{weight: …, interval: …}}, got {value!r}")
        whole(interval, f"{where}.interval", least=1)
        penalties[name] = {"weight": weight, "interval": interval, **_own_parameters(field_name, name, settings)}
    return penalties


def _augmentations(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the augmentations, each as {parameter: …}."""
    augmentations: dict[str, Any] = {}
    for name, value in _mapping(values, "augmentations").items():
        if not isinstance(value, Mapping):
            raise UserError(f"recipe.augmentations.{name} must be a mapping of its parameters, got {value!r}")
        augmentations[name] = _own_parameters("augmentations", name, dict(value))
    return augmentations


def _optimizer_schedules(values: Mapping[str, Any], player: str) -> dict[str, Any]:
    """Return the schedules of a player's optimizer. UserError for one that varies no value which the optimizer has."""
    optimizer, schedules = values[f"{player}_optimizer"], {}
    with usable(f"recipe.{player}_optimizer"):
        make = bound(*resolve(optimizer, OPTIMIZERS, f"recipe.{player}_optimizer"))
        group = make([torch.nn.Parameter(torch.zeros(1))]).param_groups[0]
    variable = [name for name in optimizer if is_number(read_value(group, name))]
    for value, schedule in _mapping(values, f"{player}_schedules").items():
        where = f"recipe.{player}_schedules.{value}"
        if isinstance(optimizer.get(value), float) and value not in variable:
            raise UserError(f"recipe.{player}_optimizer: {value} must be a finite number, got {optimizer[value]}")
        if value not in variable:
            raise UserError(
                f"{where}: the {player}'s optimizer {optimizer['name']!r} has no {value!r} to vary; "
                f"{nearest(value, variable)}; remove the schedule with --model.{where}=null"
            )
        schedules[value] = _schedule(schedule, optimizer[value], where)
        with usable(f"{where}: the value that it comes to"):
            end = bound(*resolve(schedules[value], SCHEDULES, where))(optimizer[value], LATE)
            changed = {**optimizer, value: end}
            bound(*resolve(changed, OPTIMIZERS, where))([torch.nn.Parameter(torch.zeros(1))])
    return schedules


def _schedule(choice: Any, initial: float, where: str) -> dict[str, Any]:
    """Return the complete schedule. UserError if its first values are not finite numbers."""
    schedule = completed(choice, SCHEDULES, where)
    with usable(where):
        value_at = bound(*resolve(schedule, SCHEDULES, where))
        if not all(math.isfinite(value_at(initial, step)) for step in (0, 1, LATE)):
            raise UserError(f"{where}: gives no finite number")
    return schedule


def _balance(value: Any) -> Balance | None:
    balance = build(Balance, value, "recipe.balance") if isinstance(value, Mapping) else value
    if not isinstance(balance, Balance | None):
        raise UserError(f"recipe.balance must be {{low: …, high: …}}, got {value!r}")
    return balance


def _schedules(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree of complete schedules. UserError for a schedule whose place has no number that may vary."""
    result: dict[str, Any] = {}
    for path, choice in _leaves(without_nulls(_mapping(values, "schedules"))):
        where = f"recipe.schedules.{'.'.join(path)}"
        if not path:
            raise UserError(f"recipe.schedules: a schedule stands where its number does: {{weight_clip: {choice!r}}}")
        if path[0] not in VARIABLE:
            hint = (
                f"give recipe.{path[0].removesuffix('_optimizer')}_schedules.{'.'.join(path[1:])}"
                if path[0].endswith("_optimizer")
                else f"a number of {', '.join(VARIABLE)} may"
            )
            raise UserError(f"{where}: nothing of {path[0]} follows a schedule here; {hint}")
        place: Any = values
        for key in path:
            if not isinstance(place, Mapping) or key not in place:
                near = f"; {nearest(key, place)}" if isinstance(place, Mapping) else ""
                raise UserError(f"{where}: the recipe has no such number{near}")
            place = place[key]
        if not is_number(place) or not _may_be_fraction(values, path):
            raise UserError(f"{where}: {thawed(place)!r} is no number that may take any value between others")
        schedule = _schedule(choice, place, where)
        if len(path) == 1:
            end = bound(*resolve(schedule, SCHEDULES, where))(place, LATE)
            if not 0 <= end < BELOW[path[0]]:
                raise UserError(f"{where}: comes to {end}, allowed is a number from 0 to below {BELOW[path[0]]}")
        branch = result
        for key in path[:-1]:
            branch = branch.setdefault(key, {})
        branch[path[-1]] = schedule
    return result


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the schedule of each leaf. A mapping with a `name` is a leaf, and so is what is no mapping."""
    if isinstance(tree, Mapping) and not isinstance(tree.get("name"), str):
        for key, item in tree.items():
            yield from _leaves(item, (*path, str(key)))
    else:
        yield path, tree


def _may_be_fraction(values: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Return whether the number at a path of the recipe may be a fraction. The annotation of its parameter says so."""
    if len(path) == 1:
        return True
    if path[0].endswith("_penalties") and path[-1] in ("weight", "interval"):
        return path[-1] == "weight"
    registries: dict[str, Mapping[str, Any]] = {"loss": LOSSES, "auxiliary": AUXILIARIES}
    registry = registries.get(path[0])
    name = path[1] if registry is None else values[path[0]]["name"]
    target = named(name, registry or registry_of(path[0]), "recipe." + ".".join(path))
    hint = typing.get_type_hints(target).get(path[-1], float)
    return hint is float or float in typing.get_args(hint)


def _try_out(recipe: "Recipe") -> None:
    """Call every penalty and every augmentation once, on a pair of images."""
    for player in PLAYERS:
        field_name = f"{player}_penalties"
        for name in getattr(recipe, field_name):
            with usable(f"recipe.{field_name}.{name}"):
                penalty = named_function(recipe, field_name, name)
                inspect.signature(penalty).bind(*"nrflgs")  # (network, real, fake, labels, noise, step)
                if name in registry_of(field_name) and name != "l2":  # finds parameters that are out of range
                    images = torch.zeros(2, 2, 1, 4, 4)
                    for function in (penalty, partial(penalty, **_ends(recipe, field_name, name))):
                        function(lambda seen, labels: seen.flatten(1), *images, None, torch.Generator(), 0)
    for augment, name in zip(recipe.augmenters(), recipe.augmentations, strict=True):
        with usable(f"recipe.augmentations.{name}"):
            for step in (0, LATE):
                if augment(torch.zeros(2, 1, 8, 8), torch.Generator(), step).shape != (2, 1, 8, 8):
                    raise UserError(f"recipe.augmentations.{name}: changes the images' shape")


def _ends(recipe: "Recipe", field_name: str, name: str) -> dict[str, float]:
    """Return what the parameters of a penalty come to that follow a schedule."""
    values = getattr(recipe, field_name)[name]
    schedules = {key: recipe.schedule(field_name, name, key) for key in values if key != "weight"}
    return {key: schedule(values[key], LATE) for key, schedule in schedules.items() if schedule}


def _check_together(recipe: "Recipe") -> None:
    """Raise UserError for fields that do not go together."""
    loss = recipe.objective()
    for step in (0, LATE):  # what their schedules come to, too
        recipe.objective(step)
        recipe.auxiliary_loss(step)
    with usable("recipe.prior"):
        latent = (
            recipe.resolve("prior")((2, recipe.latent_dim), torch.Generator()) if recipe.latent_dim < 2**20 else None
        )
        if latent is None or latent.shape != (2, recipe.latent_dim) or not latent.is_floating_point():
            raise UserError(f"recipe.prior, recipe.latent_dim: cannot draw latents of {recipe.latent_dim} numbers")
    if recipe.auxiliary is not None and not isinstance(recipe.auxiliary_loss(), Auxiliary):
        raise UserError(f"recipe.auxiliary: {recipe.auxiliary!r} makes no gan.parts.auxiliaries.Auxiliary")
    if _code(recipe, "auxiliary") not in (None, _code(recipe, "prior")):
        raise UserError("recipe.auxiliary: code needs the prior coded, with the same categories and continuous")
    if recipe.step_count == "shared":
        for player in PLAYERS:
            optimizer = recipe.resolve(f"{player}_optimizer")([torch.nn.Parameter(torch.zeros(1))])
            if not isinstance(optimizer, TensorFlowAdam):
                raise UserError("recipe.step_count: shared needs tensorflow_adam for both networks")
    if recipe.discriminator_update == "real_then_fake" and loss.halves is None:
        raise UserError(
            f"recipe.discriminator_update: real_then_fake needs a sum of two losses, not {thawed(recipe.loss)}"
        )
    if recipe.discriminator_update == "real_then_fake" and recipe.updates == "simultaneous":
        raise UserError("recipe.updates: simultaneous needs one D update a batch: discriminator_update joint")
    if recipe.discriminator_update == "real_then_fake" and recipe.discriminator_batches == "mixed":
        raise UserError("recipe.discriminator_batches: mixed needs one D update a batch: discriminator_update joint")
    if recipe.batch_size % recipe.packing:
        raise UserError(f"recipe.packing {recipe.packing} does not divide recipe.batch_size {recipe.batch_size}")
    if recipe.balance is not None and loss.boundary is None:
        raise UserError(
            f"recipe.balance: of {thawed(recipe.loss)} D's accuracy means nothing, and cannot decide who learns"
        )


def _code(recipe: "Recipe", name: str) -> tuple[int, int] | None:
    """Return the sizes of InfoGAN's code in a field: (categories, continuous). None for a field without a code."""
    choice = getattr(recipe, name)
    if choice is None or choice["name"] not in ("code", "coded"):
        return None
    return choice["categories"], choice["continuous"]
