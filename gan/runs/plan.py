"""Plan: what a run is made from. All keys of its configuration are checked, and all values are written out."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from gan.base.choices import check_arguments, completed, foreign_names, merge, named, nearest, normalise
from gan.base.errors import UserError
from gan.base.importing import import_from
from gan.base.paths import absolute
from gan.base.seeds import Seeds
from gan.data.datamodule import DEFAULT_ROOT, ImageDataModule
from gan.data.dataset import DATASETS, importable
from gan.engine.formats import FORMAT, completed_data, recorded_recipe
from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe
from gan.measure.registry import completed_section
from gan.runs.callbacks.checkpoints import Checkpoints
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.image_grid import ImageGrid
from gan.runs.callbacks.scalars import Scalars
from gan.runs.callbacks.watchdog import Watchdog
from gan.runs.config import Part, check_keys, composed, measuring
from gan.runs.objects import named_classes
from gan.runs.trainer import TRAINER_DEFAULTS
from gan.variants import variant_class

# Section -> the callback whose arguments are the keys of the section.
CALLBACKS: dict[str, Any] = {
    **{"scalars": Scalars, "image_grid": ImageGrid, "evaluation": Evaluation},
    **{"watchdog": Watchdog, "checkpoints": Checkpoints},
}
HIDDEN = {"evaluation": {"data"}}  # section -> arguments that only Python code can give


@dataclass(frozen=True)
class Plan:
    """A run before it starts. `tree` is its config.yaml, and `recipe` is the recipe in that tree."""

    tree: dict[str, Any]
    variant: type[AdversarialModule]
    recipe: Recipe


def plan(parts: Sequence[Part]) -> Plan:
    """Return the plan that the parts of a configuration make. UserError for an unknown key or an unusable value."""
    for part in parts:
        for section in ("trainer", *CALLBACKS):
            check_keys(part.tree.get(section, {}), arguments(section), section, part.where)
    recorded, change = composed(parts)
    base = recorded.tree if recorded else {}
    top = {key: value for key, value in (base | change).items() if value is not None}
    seed = top.get("seed_everything", 1)
    import_from(top.get("pythonpath"))
    variant = variant_class({**base.get("model", {}), **change.get("model", {})}.get("class_path"))
    # Changes are laid over what a run recorded, if its file is given, and otherwise over the class's own values.
    if recorded:
        whole = recorded_recipe(base.get("model", {}).get("recipe", {}), recorded.format or 1)
    else:
        whole = variant.defaults.to_dict()
    recipe = Recipe.from_dict(merge(whole, change.get("model", {}).get("recipe", {}), remove=True))
    model = {
        "class_path": f"{variant.__module__}.{variant.__qualname__}",
        "init_args": {"recipe": recipe.to_dict()},
    }
    place = Path("runs", _name(parts), variant.__name__, f"seed_{seed}")
    directory = top.get("run") or str(absolute(place, "run"))
    tree = {
        **{"format": FORMAT, "model": model, "seed_everything": seed, "threads": top.get("threads"), "run": directory},
        "seeds": Seeds.checked(_over(base.get("seeds", {}), change.get("seeds", {}))),
        "data": complete_data(_data_over(recorded_data(recorded), change.get("data", {}))),
        "trainer": TRAINER_DEFAULTS | _over(base.get("trainer", {}), change.get("trainer", {})),
    }
    for section, callback in CALLBACKS.items():
        tree[section] = arguments(section) | _over(base.get(section, {}), change.get(section, {}))
        check_arguments(callback, tree[section], section)
    tree["evaluation"] = completed_section(tree["evaluation"])
    if imported(tree):
        tree["pythonpath"] = top.get("pythonpath", str(Path.cwd()))
    return Plan(tree, variant, recipe)


def arguments(section: str) -> dict[str, Any]:
    """Return the keys of a section, with their defaults."""
    target = CALLBACKS.get(section, pl.Trainer)
    hidden = HIDDEN.get(section, set())
    return {name: p.default for name, p in inspect.signature(target).parameters.items() if name not in hidden}


def imported(tree: dict[str, Any]) -> list[str]:
    """Return the names by which a resolved configuration imports code from outside `gan` and Lightning."""
    data = importable(tree["data"]["name"])
    return [
        *foreign_names(tree["model"]),
        *foreign_names(data, called=True),
        *foreign_names(measuring(tree), called=True),
        *(n for n in foreign_names(list(named_classes(tree["trainer"]))) if not n.startswith("pytorch_lightning.")),
    ]


def recorded_data(part: Part | None) -> dict[str, Any]:
    """Return the section `data` of a run's own file, with all parameters of the data set. Empty without a file.

    Runs pin their data: their root is absolute. Older ones wrote `data` for a root that nobody had given.
    """
    data = part.tree.get("data", {}) if part else {}
    if data.get("root") == DEFAULT_ROOT:
        data = data | {"root": None}
    return data | {"name": completed_data(data["name"])} if part and part.format == 1 and data.get("name") else data


def _over(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `change` laid over it. A null in `change` removes a key."""
    removed = {key for key, value in change.items() if value is None}
    return {key: value for key, value in merge(base, change).items() if key not in removed}


def _data_over(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Do the same for the section `data`. Another data set keeps only the root, since other keys are its own."""
    before, now = base.get("name") or {}, change.get("name") or {}
    if now.get("name", before.get("name")) != before.get("name"):
        base = {key: value for key, value in base.items() if key == "root"}
        before = {}
    return _over(base, change) | {"name": merge(before, now, remove=True)}


def complete_data(data: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of `ImageDataModule`, with all parameters of the data set."""
    defaults = {name: p.default for name, p in inspect.signature(ImageDataModule).parameters.items()}
    choice = normalise({"name": defaults["name"], **data["name"]}, "data.name")
    if choice["name"] in DATASETS:
        own = inspect.signature(DATASETS[choice["name"]]).parameters
        for key in choice.keys() - {"name"} - own.keys():  # it may be a misspelt key of the module
            raise UserError(
                f"data set {choice['name']!r}: unknown key {f'data.{key}'!r}; {nearest(key, own.keys() | defaults)}"
            )
    choice = completed(choice, DATASETS, "data.name")
    data = defaults | data | {"name": choice}
    splits = getattr(named(choice["name"], DATASETS, "data.name"), "splits", None)
    if data["split"] is None and splits:
        data["split"] = splits[0]
    return data


def _name(parts: Sequence[Part]) -> str:
    """Return the run's name: that of the last config with a model. Other configs only say where or how to run."""
    named = [part.name for part in parts if part.name and "model" in part.tree]
    others = [part.name for part in parts if part.name]
    return (named[-1:] or others[:1] or ["fit"])[0]
