"""Configurations: files and mappings, merged key by key into one plain tree. Answers without importing torch.

What the keys within a section may be, and mean, is in `gan.runs.plan`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.base.choices import merge, nearest
from gan.base.errors import UserError, whole
from gan.base.seeds import MAX_SEED, Seeds
from gan.engine.formats import recorded_format
from gan.runs.directory import RESOLVED
from gan.runs.yaml_files import read_yaml

SECTIONS = ("seeds", "data", "trainer", "scalars", "image_grid", "evaluation", "checkpoints")
KEYS = ("model", *SECTIONS, "seed_everything", "run")
# Besides, in a run's own file: its format, and the folder that code outside this package was imported from.
RECORDED = ("format", "pythonpath")
TEXTS = ("run", "pythonpath")
DATA_ARGUMENTS = ("name", "root", "source", "split")  # of ImageDataModule; other keys are the data set's own


@dataclass(frozen=True)
class Part:
    """A configuration in canonical form, with what an error line calls it."""

    where: str
    tree: dict[str, Any]
    format: int | None = None  # of a run's own file, which says everything
    name: str | None = None  # that a run takes from a file


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


def read_config(name: str | Path) -> Part:
    """A config file, or a shipped one by name."""
    path = Path(name)
    if not path.is_file():
        shipped = shipped_configs()
        if str(name) not in shipped:
            raise UserError(f"--config {name}: no such file, and no shipped config; {nearest(name, shipped)}")
        path = shipped[str(name)]
    where = f"--config {path}"
    tree = read_yaml(path, where)
    recorded = recorded_format(tree, where) if "format" in tree or tree.keys() >= RESOLVED else None
    return Part(where, canonical(tree, where, (*KEYS, *RECORDED)), recorded, path.stem)


def parts(config: str | Path | Sequence[str | Path], given: Mapping[str, Any]) -> list[Part]:
    """Configs in their order, then what is given beside them, where None stands for nothing."""
    names = [config] if isinstance(config, str | Path) else config
    changes = {key: value for key, value in given.items() if value is not None}
    return [*map(read_config, names), Part("", canonical(changes, ""))]


def composed(sources: Sequence[Part]) -> tuple[Part | None, dict[str, Any]]:
    """The last run's own file, if there is one, and the changes that come after it.

    Such a file says everything, so that what comes before it does not count; a null in it is a value. Of the changes
    later ones win, key by key, and a null in them removes a key.
    """
    recorded: Part | None = None
    change: dict[str, Any] = {}
    for part in sources:
        if part.format is None:
            change = laid_over(change, part.tree)
        else:
            recorded, change = part, {}
    return recorded, change


def laid_over(tree: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`change` over `tree`; another data set keeps the root alone: sources and splits are the data set's own."""
    before, now = ((t.get("data", {}).get("name") or {}).get("name") for t in (tree, change))
    if None not in (before, now) and before != now:
        tree = tree | {"data": {key: value for key, value in tree["data"].items() if key == "root"}}
    return merge(tree, change)


def canonical(tree: Mapping[str, Any], where: str, keys: Collection[str] = KEYS) -> dict[str, Any]:
    """A tree with `model` as {class_path, recipe} and `data.name` as a mapping; UserError for what is no such tree."""
    result: dict[str, Any] = {}
    for key, value in tree.items():
        if key == "model":
            result[key] = _canonical_model(value, where)
        elif key in SECTIONS:
            value = mapping(value, key, where, f"give --{key}.ARGUMENT=VALUE")
            if key == "seeds":
                Seeds.checked(value)
            result[key] = _canonical_data(value, where) if key == "data" else value
        else:
            check_keys({key: value}, keys, "", where)
            result[key] = value
    for key in TEXTS:
        if not isinstance(result.get(key), str | None):
            raise UserError(f"{prefix(where)}{key} must be a folder's name, got {result[key]!r}")
    _check_seed(result.get("seed_everything"))
    return result


def _canonical_data(data: dict[str, Any], where: str) -> dict[str, Any]:
    """`data` with its name written out and the data set's own parameters in it: {fonts: …} -> {name: {fonts: …}}."""
    own = {key: value for key, value in data.items() if key not in DATA_ARGUMENTS}
    rest = {key: value for key, value in data.items() if key in DATA_ARGUMENTS}
    if isinstance(rest.get("name"), str):
        rest["name"] = {"name": rest["name"]}
    if not isinstance(rest.get("name"), Mapping | None):
        raise UserError(f"{prefix(where)}data.name must be a name, or {{name: …, parameter: …}}, got {rest['name']!r}")
    if not isinstance(rest.get("root"), str | None):
        raise UserError(f"{prefix(where)}data.root must be a folder's name, got {rest['root']!r}")
    return merge(rest, {"name": own}) if own else rest


def _canonical_model(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, str):
        return {"class_path": value}
    value = mapping(value, "model", where, "give a variant's name, or {class_path: NAME, recipe: {FIELD: VALUE}}")
    check_keys(value, ("class_path", "init_args", "recipe"), "model", where)
    if not isinstance(value.get("class_path", ""), str):
        raise UserError(f"{prefix(where)}model.class_path must be a variant's name, got {value['class_path']!r}")
    arguments = mapping(value.get("init_args", {}), "model.init_args", where, "give {recipe: {FIELD: VALUE}}")
    check_keys(arguments, ("recipe",), "model.init_args", where)
    result = {key: value[key] for key in ("class_path",) if key in value}
    for source in (arguments, value):
        if "recipe" in source:
            change = mapping(source["recipe"], "model.recipe", where, "give --model.recipe.FIELD=VALUE")
            result["recipe"] = merge(result.get("recipe", {}), change)
    return result


def mapping(value: Any, key: str, where: str, advice: str) -> dict[str, Any]:
    """`value` as a dict, an absent one as an empty dict."""
    if not isinstance(value, Mapping | None):
        raise UserError(f"{prefix(where)}{key} must be a mapping, got {value!r}; {advice}")
    return dict(value or {})


def check_keys(values: Mapping[str, Any], allowed: Collection[str], section: str, where: str) -> None:
    """UserError for the first key that is not allowed in its section."""
    for key in values:
        if key not in allowed:
            path = f"{section}.{key}" if section else key
            raise UserError(f"{prefix(where)}unknown key {path!r}; {nearest(str(key), allowed)}")


def prefix(where: str) -> str:
    """The start of an error line about a file; nothing for what is given beside it, whose key says enough."""
    return f"{where}: " if where else ""


def _check_seed(seed: Any) -> None:
    if seed is not None:
        whole(seed, "seed_everything", most=MAX_SEED)
