"""Keys of configurations that make arms of runs: what they are called, and how their values are written."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gan.base.choices import nearest
from gan.base.errors import UserError
from gan.runs.differences import differences, flat

RECIPE = "model.init_args.recipe."
VARIANT = "model.class_path"
SEEDS = ("seed_everything", "seeds.")
ONE, BASE = "all runs", "base"  # the names of an arm that is the only one, and of one that has all common values
# Where a run's images and files are, and what it writes: not what is trained.
PLACES = ("data.root", "threads", "scalars.", "image_grid.", "watchdog.", "checkpoints.")


def short(key: str) -> str:
    """Return the name of a key as reports show it: `prior.name` of the recipe is `prior`."""
    return "variant" if key == VARIANT else key.removeprefix(RECIPE).removesuffix(".name")


def word(value: Any) -> str:
    """Return a value as one short text: `uniform`, `uniform(bound=2)`, `0.1`."""
    if isinstance(value, Mapping):
        rest = ", ".join(f"{key}={word(item)}" for key, item in value.items() if key != "name")
        return f"{value['name']}({rest})" if "name" in value and rest else str(value.get("name", f"{{{rest}}}"))
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def changes(reference: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return key -> the value in two configurations, where they differ in more than seed and place."""
    found = differences([reference, config])
    return {short(key): (pair[0], pair[1]) for key, pair in found.items() if not key.startswith((*SEEDS, *PLACES))}


def naming(configs: Sequence[Mapping[str, Any]], by: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the keys that make the arms, and the others that differ among the runs, but for seed and place.

    Without `by` all keys that differ make the arms. Where the variant alone tells them apart, it does.
    """
    found = differences(configs)
    differing = list(dict.fromkeys(_choice(key, found) for key in found if not key.startswith((*SEEDS, *PLACES))))
    if by:
        keys = [_known(key, configs) for key in by]
        return keys, [key for key in differing if not any(key == k or key.startswith(f"{k}.") for k in keys)]
    recipe = [key for key in differing if key.startswith(RECIPE)]
    if VARIANT in differing and recipe:
        without = [key for key in differing if key not in recipe]
        if len(set(full_names(configs, without))) == len(set(full_names(configs, differing))):
            return without, []
    return differing, []


def full_names(configs: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Return a name of each configuration that says its value at every key: `prior=uniform, latent_dim=10`."""
    columns = [words_at(configs, key) for key in keys]
    return [", ".join(row) for row in zip(*columns, strict=True)] if columns else [ONE] * len(configs)


def names_of_changes(configs: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> tuple[list[str], str]:
    """Return a name of each configuration that says where it departs from the most common values, and these values."""
    columns = [words_at(configs, key) for key in keys]
    common = [Counter(column).most_common(1)[0][0] for column in columns]
    names = [
        ", ".join(text for text, usual in zip(row, common, strict=True) if text != usual) or BASE
        for row in zip(*columns, strict=True)
    ]
    return names, ", ".join(common)


def words_at(configs: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """Return `key=value` of each configuration. A choice's name is enough where it tells the values apart."""
    values = [_at(config, key) for config in configs]
    names, full = [_name(value) for value in values], [word(value) for value in values]
    return [f"{short(key)}={text}" for text in (names if len(set(names)) == len(set(full)) else full)]


def _name(value: Any) -> str:
    return str(value["name"]) if isinstance(value, Mapping) and "name" in value else word(value)


def _at(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value.rpartition(".")[2] if key == VARIANT and isinstance(value, str) else value


def _choice(key: str, found: Mapping[str, Any]) -> str:
    """Return the key of the choice whose parameter a key is, if its name differs, too; else the key itself."""
    parts = key.split(".")
    for depth in range(1, len(parts)):
        above = ".".join(parts[:depth])
        if f"{above}.name" in found:
            return above
    return key


def _known(key: str, configs: Sequence[Mapping[str, Any]]) -> str:
    """Return the whole key that a word means: `variant`, `recipe.FIELD`, `FIELD`, or any key of `gan fit`."""
    known = {path for config in configs for path in _paths(config)}
    for prefix in ("recipe.", "model.recipe.", ""):
        if key.startswith(prefix) and RECIPE + key.removeprefix(prefix) in known:
            return RECIPE + key.removeprefix(prefix)
    if key in ("variant", "model"):
        return VARIANT
    if key in known:
        return key
    raise UserError(f"--by {key}: no run has this key; {nearest(key, {short(path) for path in known})}")


def _paths(config: Mapping[str, Any]) -> set[str]:
    """Return every key of a tree, those of mappings too."""
    leaves = [path.split(".") for path in flat(config)]
    return {".".join(path[:depth]) for path in leaves for depth in range(1, len(path) + 1)}
