"""Arms from lists, grids and random draws: trees of overrides with names. Torch is not needed."""

import itertools
import json
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gan.base.choices import is_number, nearest
from gan.base.errors import UserError, whole

Error = Callable[[tuple[Any, ...], str], UserError]
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+-]*")  # of an arm: its directory has this name
RESERVED = ("logs", "report")
MOST_LETTERS = 120  # of an arm's name, and of that of a grid's point
MOST_DRAWS = 10_000


def arm_trees(tree: Mapping[str, Any], error: Error) -> dict[str, dict[str, Any]]:
    """Return name -> overrides of each arm that a manifest has in `arms`, in its `grid`, or draws by `random`."""
    arms: dict[str, dict[str, Any]] = {}
    given = tree.get("arms") or {}
    if not isinstance(given, Mapping):
        raise error(("arms",), "arms must be a mapping of names to what each changes: {uniform: {prior: uniform}}")
    for name, change in given.items():
        if not isinstance(name, str) or not NAME.fullmatch(name) or len(name) > MOST_LETTERS or name in RESERVED:
            raise error(
                ("arms", name), f"{name!r} cannot be an arm's name: letters, digits and _ . , = + - are allowed"
            )
        if not isinstance(change, Mapping | None) or not all(isinstance(key, str) for key in change or ()):
            raise error(("arms", name), f"arms.{name} must be a mapping of what it changes, got {change!r}")
        arms[name] = dict(change or {})
    if (grid := tree.get("grid")) is not None:
        if not isinstance(grid, Mapping) or not all(
            isinstance(v, Sequence) and not isinstance(v, str) and v for v in grid.values()
        ):
            raise error(("grid",), f"grid must map keys to lists of values, got {grid!r}")
        arms |= points_of({}, grid)
    if (drawn := tree.get("random")) is not None:
        arms |= _drawn(drawn, error)
    return arms


def checked_grid(grid: Any, where: tuple[Any, ...], error: Error) -> dict[str, list[Any]]:
    """Return a grid. UserError for what does not map keys to lists of values."""
    if not isinstance(grid, Mapping) or not all(
        isinstance(k, str) and isinstance(v, list) and v for k, v in grid.items()
    ):
        raise error(where, f"{'.'.join(map(str, where))} must map keys to lists of values, got {grid!r}")
    return dict(grid)


def points_of(overrides: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """Return name -> overrides of each point of a grid. Without a grid there is one, whose name is empty."""
    points: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        name = name_of(point)
        points[name if name not in points else f"{name}_{len(points)}"] = {**overrides, **point}
    return points


def name_of(change: Mapping[str, Any]) -> str:
    """Return a name, fit for a directory, that says what a change varies: `prior=uniform,latent_dim=10`."""
    return ",".join(f"{key}={_word(value)}" for key, value in change.items())[:MOST_LETTERS]


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        own = [str(value["name"])] if "name" in value else []
        return "_".join([*own, *(f"{key}_{_word(item)}" for key, item in value.items() if key != "name")])
    text = value if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip("_")


# Random draws ---


def _uniform(number: float, low: float, high: float) -> float:
    return low + number * (high - low)


def _log_uniform(number: float, low: float, high: float) -> float:
    return math.exp(_uniform(number, math.log(low), math.log(high)))


def _whole(number: float, low: int, high: int) -> int:
    return low + int(number * (high - low + 1))


# Name -> function of a number in [0, 1) and two bounds. `choice`, of a list of values, is no range.
RANGES: dict[str, Callable[..., Any]] = {"uniform": _uniform, "log_uniform": _log_uniform, "whole": _whole}
DISTRIBUTIONS = (*RANGES, "choice")


def _drawn(tree: Any, error: Error) -> dict[str, dict[str, Any]]:
    """Return the arms `draw_001`, …, each with a value of every field, drawn from the field's distribution."""
    keys = ("count", "seed", "fields")
    if not isinstance(tree, Mapping) or not isinstance(tree.get("fields"), Mapping) or not tree["fields"]:
        raise error(("random",), "random must be {count: N, seed: N, fields: {KEY: {log_uniform: [LOW, HIGH]}}}")
    for key in tree:
        if key not in keys:
            raise error(("random", key), f"unknown key 'random.{key}'; {nearest(key, keys)}")
    try:
        count = whole(tree.get("count"), "random.count", 1, MOST_DRAWS)
        generator = random.Random(whole(tree.get("seed", 0), "random.seed"))
    except UserError as found:
        raise error(("random",), str(found)) from None
    fields = {str(key): _distribution(str(key), value, error) for key, value in tree["fields"].items()}
    arms = {}
    for number in range(1, count + 1):  # `random()` is the one draw that Python promises to keep
        arms[f"draw_{number:0{max(3, len(str(count)))}d}"] = {k: draw(generator.random()) for k, draw in fields.items()}
    return arms


def _distribution(key: str, value: Any, error: Error) -> Callable[[float], Any]:
    """Return a function from a number in [0, 1) to a value."""
    where = ("random", "fields", key)
    if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in DISTRIBUTIONS:
        raise error(where, f"random.fields.{key} must have one of {', '.join(DISTRIBUTIONS)}, got {value!r}")
    ((kind, bounds),) = value.items()
    if not isinstance(bounds, list) or not bounds:
        raise error(where, f"random.fields.{key}.{kind} must be a list, got {bounds!r}")
    if kind == "choice":
        return lambda number: bounds[int(number * len(bounds))]
    right = len(bounds) == 2 and all(map(is_number, bounds)) and bounds[0] < bounds[1]
    right = right and (kind != "log_uniform" or bounds[0] > 0)
    right = right and (kind != "whole" or all(isinstance(bound, int) for bound in bounds))
    if not right:
        raise error(where, f"random.fields.{key}.{kind} must be [LOW, HIGH], got {bounds!r}")
    return lambda number: RANGES[kind](number, *bounds)
