"""Configurations: YAML files and flags merged, key by key, into one plain tree whose every key is known."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml

from gan.base.choices import import_path, merge, nearest
from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.data.dataset import DATASETS
from gan.engine.game import AdversarialModule
from gan.runs.callbacks.checkpoints import Checkpoints
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.image_grid import ImageGrid
from gan.runs.callbacks.scalars import Scalars
from gan.variants import VARIANTS

# Section -> the class that its keys are arguments of.
CALLBACKS = {"scalars": Scalars, "image_grid": ImageGrid, "evaluation": Evaluation, "checkpoints": Checkpoints}
SECTIONS: dict[str, Any] = {"trainer": pl.Trainer, "data": ImageDataModule, **CALLBACKS}
# `run` is the directory, `pythonpath` the folder that code outside this package was imported from.
PLAIN_KEYS = ("seed_everything", "run", "pythonpath")
TEXTS = ("run", "pythonpath", "data.root", "data.fonts", "allow-import")  # a folder may be called 2024
DEFAULT_DATA = inspect.signature(ImageDataModule).parameters["name"].default
HIDDEN = {"evaluation": {"data"}}  # arguments that only Python code can give


class _Loader(yaml.SafeLoader):
    """YAML 1.1 with 1e-4 read as the number that it is."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)$|^[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


@dataclass
class Flags:
    """A command line, taken apart: `--config FILE`, `--key.sub=value` or `--key.sub value`, and bare switches."""

    configs: list[str] = field(default_factory=list)
    values: list[tuple[str, Any]] = field(default_factory=list)
    switches: set[str] = field(default_factory=set)


def parse_flags(arguments: Sequence[str], switches: Sequence[str] = ()) -> Flags:
    """Take a command line apart; values are read as YAML. UserError for what is no flag."""
    flags, rest = Flags(), list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            raise UserError(f"{word!r} is not a flag; flags are --key=value, for example --model.recipe.prior=uniform")
        key, given, value = word[2:].partition("=")
        if key in switches:
            if given:
                raise UserError(f"--{key} takes no value")
            flags.switches.add(key)
            continue
        if not given:
            if not rest or rest[0].startswith("--"):
                raise UserError(f"--{key} needs a value, as in --{key}=VALUE" + _switch_hint(key, switches))
            value = rest.pop(0)
        if key == "config":
            flags.configs.append(value)
        elif key in TEXTS:
            flags.values.append((key, None if value == "null" else value))
        else:
            flags.values.append((key, parse_value(value, f"--{key}")))
    return flags


def _switch_hint(key: str, switches: Sequence[str]) -> str:
    known = {"config", *PLAIN_KEYS, *SECTIONS, "model", *switches}
    return "" if key.split(".")[0] in known else f"; unknown key: {nearest(key, known)}"


def parse_value(text: str, where: str) -> Any:
    """A flag's value, read as YAML."""
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise UserError(f"{where}: cannot read {text!r} as YAML ({str(error).splitlines()[0]})") from None


def config_directory() -> Path:
    """Where the shipped configs are: in the wheel inside the package, in a checkout beside it."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def shipped_configs() -> dict[str, Path]:
    """Shipped configs by name: `quickstart`, `systems/mlp_gan` and, where it is unambiguous, `mlp_gan`."""
    directory = config_directory()
    paths = sorted(directory.rglob("*.yaml"))
    by_stem: dict[str, Path] = {path.stem: path for path in reversed(paths)}
    return by_stem | {path.relative_to(directory).with_suffix("").as_posix(): path for path in paths}


def read_config(name: str) -> dict[str, Any]:
    """A config file, or a shipped one by name, as a tree in canonical form."""
    path = Path(name)
    if not path.is_file():
        shipped = shipped_configs()
        if name not in shipped:
            raise UserError(f"--config {name}: no such file, and no shipped config; {nearest(name, shipped)}")
        path = shipped[name]
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"--config {path}: not readable as YAML ({' '.join(str(error).split())[:160]})") from None
    if not isinstance(tree, Mapping):
        raise UserError(f"--config {path}: must be a mapping of keys such as model, data and trainer")
    return canonical(tree, f"--config {path}")


def compose(flags: Flags) -> dict[str, Any]:
    """Configs in their order, then flags in theirs; later ones win, key by key."""
    tree: dict[str, Any] = {}
    for name in flags.configs:
        tree = _merged(tree, read_config(name))
    for key, value in flags.values:
        parts = key.split(".")
        change: Any = value
        for part in reversed(parts):
            change = {part: change}
        tree = _merged(tree, canonical(change, f"--{key}"))
    return tree


def _merged(tree: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`change` over `tree`; another data set keeps the root alone: sources and splits are the data set's own."""
    before, now = ((t.get("data", {}).get("name") or {}).get("name") for t in (tree, change))
    if None not in (before, now) and before != now:
        tree = tree | {"data": {key: value for key, value in tree["data"].items() if key == "root"}}
    return merge(tree, change)


def canonical(tree: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A tree with `model` written out as {class_path, init_args: {recipe}}; unknown keys raise UserError."""
    result: dict[str, Any] = {}
    for key, value in tree.items():
        if key == "model":
            result[key] = _canonical_model(value, where)
        elif key in SECTIONS:
            allowed = set(inspect.signature(SECTIONS[key]).parameters) - HIDDEN.get(key, set())
            value = _mapping(value, key, where, f"give --{key}.ARGUMENT=VALUE")
            result[key] = _canonical_data(value, allowed) if key == "data" else value
            _check_keys(result[key], allowed, key, where)
        else:
            _check_keys({key: value}, {*SECTIONS, "model", *PLAIN_KEYS}, "", where)
            if key in TEXTS and not isinstance(value, str | None):
                raise UserError(f"{where}: {key} must be a folder's name, got {value!r}")
            result[key] = value
    return result


def _canonical_data(data: dict[str, Any], arguments: set[str]) -> dict[str, Any]:
    """`data` with its name written out and the data set's own parameters in it: {fonts: …} -> {name: {fonts: …}}."""
    own = {key: value for key, value in data.items() if key not in arguments}
    rest = {key: value for key, value in data.items() if key in arguments}
    if isinstance(rest.get("name"), str):
        rest["name"] = {"name": rest["name"]}
    return merge(rest, {"name": own}) if own else rest


def _checked_data_name(choice: str | dict[str, Any]) -> str | dict[str, Any]:
    """A data set's choice, a bare name where it has no parameters; what is no parameter of it may be a misspelt key."""
    name = {"name": choice} if isinstance(choice, str) else {"name": DEFAULT_DATA, **choice}
    parameters = name.keys() - {"name"}
    if name["name"] in DATASETS:
        own = set(inspect.signature(DATASETS[name["name"]]).parameters)
        for key in parameters - own:
            known = own | set(inspect.signature(ImageDataModule).parameters)
            raise UserError(f"data set {name['name']!r}: unknown key {f'data.{key}'!r}; {nearest(key, known)}")
    return name if parameters else name["name"]


def _canonical_model(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, str):
        return {"class_path": value}
    value = _mapping(value, "model", where, "give a variant's name, or {class_path: NAME, recipe: {FIELD: VALUE}}")
    _check_keys(value, {"class_path", "init_args", "recipe"}, "model", where)
    if not isinstance(value.get("class_path", ""), str):
        raise UserError(f"{where}: model.class_path must be a variant's name, got {value['class_path']!r}")
    arguments = _mapping(value.get("init_args", {}), "model.init_args", where, "give {recipe: {FIELD: VALUE}}")
    _check_keys(arguments, {"recipe"}, "model.init_args", where)
    recipes = [mapping["recipe"] for mapping in (arguments, value) if "recipe" in mapping]
    recipe: dict[str, Any] = {}
    for change in recipes:
        recipe = merge(recipe, _mapping(change, "model.recipe", where, "give --model.recipe.FIELD=VALUE"))
    return {k: value[k] for k in ("class_path",) if k in value} | ({"init_args": {"recipe": recipe}} if recipes else {})


def _mapping(value: Any, key: str, where: str, advice: str) -> dict[str, Any]:
    """`value` as a dict, an absent one as an empty dict."""
    if not isinstance(value, Mapping | None):
        raise UserError(f"{where}: {key} must be a mapping, got {value!r}; {advice}")
    return dict(value or {})


def _check_keys(values: Mapping[str, Any], allowed: set[str], section: str, where: str) -> None:
    for key in values:
        if key not in allowed:
            path = f"{section}.{key}" if section else key
            raise UserError(f"{where}: unknown key {path!r}; {nearest(str(key), allowed)}")


def variant_class(name: str) -> type[AdversarialModule]:
    """A variant by its registered name or importable path."""
    if name in VARIANTS:
        return VARIANTS[name]
    if "." not in name:
        raise UserError(f"model: unknown variant {name!r}; {nearest(name, VARIANTS)}")
    found = import_path(name, "model")
    if not (isinstance(found, type) and issubclass(found, AdversarialModule)):
        raise UserError(f"model: {name} is not a variant (a subclass of gan.engine.game.AdversarialModule)")
    return found


def resolve_data(data: dict[str, Any]) -> dict[str, Any]:
    """The section `data` as arguments of `ImageDataModule`, without nulls; the keys of a registered set are known."""
    data = {key: value for key, value in data.items() if value is not None}
    return data | ({"name": _checked_data_name(data["name"])} if "name" in data else {})


def resolve_model(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree with the variant's importable path and its whole recipe: class default, then configs, then flags.

    Keys that the configuration removed from a mapping of the default stand as nulls, so that the tree resolves to
    itself; elsewhere a null only says that the default holds.
    """
    tree = {key: value for key, value in tree.items() if value is not None}
    for section in SECTIONS.keys() & tree.keys():
        tree[section] = {key: value for key, value in tree[section].items() if value is not None}
    if "data" in tree:
        tree["data"] = resolve_data(tree["data"])
    model = tree.get("model", {})
    if "class_path" not in model:
        raise UserError(f"no variant is named; give --model NAME or a config. Allowed: {', '.join(sorted(VARIANTS))}")
    variant = variant_class(model["class_path"])
    defaults = variant.defaults.to_dict()
    recipe = variant.defaults.merged(model.get("init_args", {}).get("recipe", {})).to_dict()
    recipe = _with_removed(recipe, defaults)
    return tree | {
        "model": {
            "class_path": f"{variant.__module__}.{variant.__qualname__}",
            "init_args": {"recipe": recipe},
        }
    }


def _with_removed(value: Any, default: Any) -> Any:
    """`value` with a null for each key of `default` that it lacks, at every depth; another choice has its own keys."""
    if not (isinstance(value, dict) and isinstance(default, dict) and value.get("name") == default.get("name")):
        return value
    present = {key: _with_removed(item, default.get(key)) for key, item in value.items()}
    return present | {key: None for key in default if key not in value}
