"""Configurations: files and mappings are merged, key by key, into one plain tree. Torch is not imported here.

`gan.runs.plan` knows what keys a section may have, and what they mean.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.base.choices import merge, nearest
from gan.base.errors import UserError, whole
from gan.base.paths import absolute
from gan.base.plain import plain
from gan.base.seeds import MAX_SEED, Seeds
from gan.engine.formats import recorded_format
from gan.runs.directory import RESOLVED
from gan.runs.yaml_files import read_yaml

SECTIONS = ("seeds", "data", "trainer", "scalars", "image_grid", "evaluation", "watchdog", "checkpoints")
KEYS = ("model", *SECTIONS, "seed_everything", "threads", "run")
# Further keys of a run's own file: its format, and the folder from which code outside this package was imported.
RECORDED = ("format", "pythonpath")
TEXTS = ("run", "pythonpath")
MAX_THREADS = 1024
LOGGERS = {"tensorboard": "TensorBoardLogger", "csv": "CSVLogger", "wandb": "WandbLogger"}  # trainer.logger for short
ABLATIONS = "ablations"  # folder of the shipped manifests, which are no configs
DATA_ARGUMENTS = ("name", "root", "source", "split")  # of ImageDataModule; other keys of `data` belong to the data set


@dataclass(frozen=True)
class Part:
    """A configuration in canonical form. Error lines about it begin with `where`."""

    where: str
    tree: dict[str, Any]
    format: int | None = None  # only for a run's own file, which holds every value
    name: str | None = None  # of the file; a run may be named after it


def config_directory() -> Path:
    """Return the folder of the shipped configs. It is inside an installed package, and beside it in a checkout."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def shipped_configs() -> dict[str, Path]:
    """Return the shipped configs by name. `systems/mlp_gan` is also called `mlp_gan`."""
    directory = config_directory()
    paths = [path for path in sorted(directory.rglob("*.yaml")) if path.parent.name != ABLATIONS]
    by_stem: dict[str, Path] = {path.stem: path for path in reversed(paths)}
    return by_stem | {path.relative_to(directory).with_suffix("").as_posix(): path for path in paths}


def shipped_manifests() -> dict[str, Path]:
    """Return the shipped manifests of ablations by name."""
    return {path.stem: path for path in sorted((config_directory() / ABLATIONS).glob("*.yaml"))}


def read_config(name: str | Path) -> Part:
    """Read a config file, or a shipped config by its name."""
    path = absolute(name, "--config")
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
    """Return the configs in their order, then what is given beside them. A None in `given` is left out."""
    names = list(config) if isinstance(config, list | tuple) else [config]
    changes = {key: value for key, value in given.items() if value is not None}
    return [*map(read_config, names), Part("", canonical(changes, ""))]


def composed(sources: Sequence[Part]) -> tuple[Part | None, dict[str, Any]]:
    """Return the last part that is a run's own file, or None, and the changes that come after it.

    A run's own file holds every value. So parts before it do not count, and a null in it is a value. Among the changes
    later ones win, key by key, and a null removes a key.
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
    """Return `tree` with `change` laid over it. Another data set keeps only the root: other keys are its own."""
    before, now = ((t.get("data", {}).get("name") or {}).get("name") for t in (tree, change))
    if None not in (before, now) and before != now:
        tree = tree | {"data": {key: value for key, value in tree["data"].items() if key == "root"}}
    return merge(tree, change)


def canonical(tree: Mapping[str, Any], where: str, keys: Collection[str] = KEYS) -> dict[str, Any]:
    """Return a tree with `model` as {class_path, recipe} and `data.name` as a mapping. UserError for anything else."""
    result: dict[str, Any] = {}
    for key, value in plain(tree, where or "configuration").items():
        if key == "model":
            result[key] = _canonical_model(value, where)
        elif key in SECTIONS:
            value = mapping(value, key, where, f"give --{key}.ARGUMENT=VALUE")
            if key == "seeds":
                Seeds.checked(value)
            result[key] = _canonical_data(value, where) if key == "data" else value
            if key == "trainer" and isinstance(value.get("logger"), str):
                value["logger"] = LOGGERS.get(value["logger"], value["logger"])
        else:
            check_keys({key: value}, keys, "", where)
            result[key] = value
    for key in TEXTS:
        if not isinstance(result.get(key), str | None):
            raise UserError(f"{prefix(where)}{key} must be a folder's name, got {result[key]!r}")
    if result.get("run") is not None:
        result["run"] = str(absolute(result["run"], "--run" if where in ("", "--run") else f"{where}: run"))
    _check_seed(result.get("seed_everything"))
    if result.get("threads") is not None:
        whole(result["threads"], "threads", least=1, most=MAX_THREADS)
    return result


def _canonical_data(data: dict[str, Any], where: str) -> dict[str, Any]:
    """Return `data` with the data set's own parameters moved into its name: {fonts: …} -> {name: {fonts: …}}."""
    own = {key: value for key, value in data.items() if key not in DATA_ARGUMENTS}
    rest = {key: value for key, value in data.items() if key in DATA_ARGUMENTS}
    if isinstance(rest.get("name"), str):
        rest["name"] = {"name": rest["name"]}
    if not isinstance(rest.get("name"), Mapping | None):
        raise UserError(f"{prefix(where)}data.name must be a name, or {{name: …, parameter: …}}, got {rest['name']!r}")
    if not isinstance(rest.get("root"), str | None):
        raise UserError(f"{prefix(where)}data.root must be a folder's name, got {rest['root']!r}")
    if rest.get("root") is not None:
        absolute(rest["root"], "--data.root" if where in ("", "--data.root") else f"{where}: data.root")
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
    """Return `value` as a dict, which is empty for None. UserError for what is no mapping."""
    if not isinstance(value, Mapping | None):
        raise UserError(f"{prefix(where)}{key} must be a mapping, got {value!r}; {advice}")
    return dict(value or {})


def check_keys(values: Mapping[str, Any], allowed: Collection[str], section: str, where: str) -> None:
    """Raise UserError for the first key that is not allowed in its section."""
    for key in values:
        if key not in allowed:
            path = f"{section}.{key}" if section else key
            raise UserError(f"{prefix(where)}unknown key {path!r}; {nearest(str(key), allowed)}")


def measuring(tree: Mapping[str, Any]) -> list[Any]:
    """Return what the section `evaluation` names: measures and the extractor."""
    section = tree.get("evaluation") or {}
    extractor = section.get("extractor")
    return [list(section.get("measures") or {}), extractor.get("name") if isinstance(extractor, Mapping) else extractor]


def prefix(where: str) -> str:
    """Return the start of an error line: the file, if there is one. For a flag the key says enough."""
    return f"{where}: " if where else ""


def _check_seed(seed: Any) -> None:
    if seed is not None:
        whole(seed, "seed_everything", most=MAX_SEED)
