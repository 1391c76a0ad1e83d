"""Formats of recorded recipes. A recorded recipe keeps its meaning when defaults change.

Format 2 holds every value (`Recipe.to_dict`). Format 1 holds only what was given, and its files name no format. The
defaults of its day are in `format_1.json`, by registry and name.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.base.choices import thawed, without_nulls
from gan.base.errors import UserError
from gan.base.seeds import Seeds

FORMAT = 2  # of config.yaml, checkpoints and snapshots
REGISTRIES = {  # field of a recipe -> name of the registry of its choice, or of the choices in it
    "generator": "GENERATORS",
    "discriminator": "DISCRIMINATORS",
    **{f"{player}_{kind}": "INITS" for player in ("generator", "discriminator") for kind in ("weights", "biases")},
    "prior": "PRIORS",
    "loss": "LOSSES",
    "auxiliary": "AUXILIARIES",
    "generator_optimizer": "OPTIMIZERS",
    "discriminator_optimizer": "OPTIMIZERS",
    "generator_schedules": "SCHEDULES",
    "discriminator_schedules": "SCHEDULES",
    "generator_penalties": "PENALTIES",
    "discriminator_penalties": "PENALTIES",
    "augmentations": "AUGMENTATIONS",
}


def recorded_format(values: Mapping[str, Any], where: str) -> int:
    """Return the format that a file names, or 1 if it names none. UserError for a format that is not known here."""
    number = values.get("format", 1)
    if not isinstance(number, int) or number not in range(1, FORMAT + 1):
        said = " ".join(repr(number).split())[:50]
        raise UserError(f"{where}: has format {said}; this version of gan reads 1 to {FORMAT}: update gan")
    return number


def recorded_recipe(values: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return all values of a recipe that was recorded in the format `number`."""
    return completed_recipe(values) if number == 1 else thawed(values)


def completed_recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe of format 1 as one of format 2: with the defaults of its day written out.

    The defaults of what is named by an importable path are unknown here, and are left out.
    """
    defaults = _defaults()
    recipe = defaults["recipe"] | without_nulls(thawed(values))
    for field, registry in REGISTRIES.items():
        value, known = recipe.get(field), defaults[registry]
        if registry in ("PENALTIES", "AUGMENTATIONS"):  # a name to its parameters, or to a penalty's weight
            for name, given in value.items() if isinstance(value, Mapping) else ():
                settings = given if isinstance(given, Mapping) else {"weight": given}
                recipe[field][name] = known.get(name, {}) | settings
        elif registry == "SCHEDULES":
            for name, choice in value.items() if isinstance(value, Mapping) else ():
                recipe[field][name] = _completed(choice, known)
        elif value is not None:
            recipe[field] = _completed(value, known)
            name = recipe[field].get("name") if isinstance(recipe[field], Mapping) else None
            if isinstance(name, str) and "activation" in known.get(name, {}):
                recipe[field]["activation"] = _completed(recipe[field]["activation"], defaults["ACTIVATIONS"])
    if isinstance(recipe["balance"], Mapping):
        recipe["balance"] = {"patience": 10, **recipe["balance"]}
    return recipe


def completed_data(choice: Any) -> dict[str, Any]:
    """Return a data set's choice of format 1 with the defaults of its day."""
    return _completed(choice, _defaults()["DATASETS"])


def _defaults() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("format_1.json").read_text(encoding="utf-8"))


def _completed(choice: Any, known: Mapping[str, Any]) -> Any:
    """Return a choice with the defaults that its name had. What is no choice stays, for the recipe to refuse."""
    given = {"name": choice} if isinstance(choice, str) else choice
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        return choice
    return known.get(given["name"], {}) | given


def upgraded_state(state: Mapping[str, Any], global_step: int) -> dict[str, Any]:
    """Return a checkpoint's adversarial state in today's format."""
    if recorded_format(state, "checkpoint") == FORMAT:
        return dict(state)
    return {
        "format": FORMAT,
        "variant": state["variant"],
        "run_seed": state["run_seed"],
        "seeds": Seeds.of(state["run_seed"]).to_dict(),
        "images_seen": state["images_seen"],
        "updates": {"generator": global_step, "discriminator": state["discriminator_updates"]},
        "round": {"position": state["turn"], "one_sided": state["one_sided"], "latent": state["latent"]},
        "streams": {"noise": state["noise"]},
        "random": state["random"],
    }
