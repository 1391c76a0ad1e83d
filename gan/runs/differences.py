"""What differs between configurations, and of a recipe from its class's: flat keys with their values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch is not needed
    from gan.engine.game import AdversarialModule

OWN = ("run", "pythonpath", "format")  # a run's place, and how its file is written: not what is trained


def flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"a.b": value}` for a tree. A list is a value."""
    return dict(_items(tree, ""))


def _items(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _items(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def differences(trees: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return key -> its value in each tree, for the keys that are not the same in all. A key that is absent is None."""
    every = [flat({key: value for key, value in tree.items() if key not in OWN}) for tree in trees]
    keys = dict.fromkeys(key for values in every for key in values)
    found = {key: [values.get(key) for values in every] for key in keys}
    return {key: values for key, values in found.items() if any(not _same(value, values[0]) for value in values)}


def about(module: "AdversarialModule") -> dict[str, Any]:
    """Return what a row says of a system: variant, digest of the recipe, and what differs from the class's values."""
    trees = [type(module).defaults.to_dict(), module.recipe.to_dict()]
    differs = {key: values[1] for key, values in differences(trees).items()}
    return {"variant": type(module).__name__, "recipe": module.recipe.digest, "differs": differs}


def _same(a: Any, b: Any) -> bool:
    """Return whether two values are equal and of one kind: 1 is not true."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)
