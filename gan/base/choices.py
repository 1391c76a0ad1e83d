"""Choices: one shape for every named part of a recipe (prior, init, loss, network, optimizer, data set …).

A choice is a registry key (`normal`), a key with parameters (`{name: truncated_normal, bound: 2}`) or an importable
path (`mylab.priors.student_t`) for code outside this package. Its parameters are the keyword-only arguments of what it
names; the engine supplies the other arguments. Each parameter is checked against its annotation.

A recorded choice holds every parameter, defaults too (`completed`), so that it means the same after a default changes.
"""

import inspect
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

from gan.base.errors import UserError
from gan.base.importing import import_path
from gan.base.words import nearest

Choice = str | dict[str, Any]  # in a signature; `completed` gives the mapping

# A value for each parameter that has no default, to stand in an error line.
EXAMPLES: dict[str, Any] = {
    **{"bound": 0.05, "channels": "[64, 32]", "factor": 1.000004, "final": 0, "lr": 0.001, "std": 0.02},
    **{"updates": 1000, "value": 0, "widths": "[256, 256]"},
}


class Names:
    """Marks a parameter that is a choice itself: `activation: Annotated[Choice, Names(ACTIVATIONS)]`."""

    def __init__(self, registry: Mapping[str, Any]) -> None:
        self.registry = registry


def normalise(choice: str | Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The choice as a mapping: `normal` becomes `{"name": "normal"}`. Raises UserError for anything else."""
    if isinstance(choice, str):
        return {"name": choice}
    if isinstance(choice, Mapping) and isinstance(choice.get("name"), str):
        return thawed(choice)
    raise UserError(f"{kind}: {choice!r} is not a choice; give a name, or a mapping such as {{name: …, parameter: …}}")


def completed(
    choice: str | Mapping[str, Any], registry: Mapping[str, Any], kind: str, engines: Collection[str] = ()
) -> dict[str, Any]:
    """The choice with all its parameters: given ones first, then defaults. Choices among them are completed, too.

    No defaults are added for an object that takes any keyword or has no signature. Raises UserError for an unknown
    name, for an import that fails, for parameters that are unknown, missing or of the wrong type, and for the
    parameters `engines`, which the engine supplies.
    """
    given = normalise(choice, kind)
    target = named(given["name"], registry, kind)
    values = {key: value for key, value in given.items() if key != "name"}
    what = f"{kind} {given['name']!r}"
    for key in values.keys() & set(engines):
        raise UserError(f"{what}: {key} follows from the rest of the recipe; remove it")
    own = check_parameters(target, values, what)
    for name, parameter in own.items():
        if (
            name not in (*values, *engines)
            and parameter.default is not parameter.empty
            and _is_plain(parameter.default)
        ):
            values[name] = thawed(parameter.default)
    for name, hint in _hints(target).items() if own else ():
        if values.get(name) is None:
            continue
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, Names):
                values[name] = completed(values[name], mark.registry, name)
    return {"name": given["name"], **values}


def resolve(
    choice: str | Mapping[str, Any], registry: Mapping[str, Any], kind: str, engines: Collection[str] = ()
) -> tuple[Callable, dict[str, Any]]:
    """The object that a choice names, and all its parameters. Raises UserError as `completed` does."""
    parameters = completed(choice, registry, kind, engines)
    return named(parameters.pop("name"), registry, kind), parameters


def named(name: str, registry: Mapping[str, Any], kind: str) -> Any:
    """The object that a name stands for: an entry of the registry, or what is at an importable path."""
    if name in registry:
        return registry[name]
    if "." in name:
        return import_path(name, kind)
    raise UserError(f"{kind}: unknown name {name!r}; {nearest(name, registry)}")


def bound(target: Callable[..., Any], parameters: dict[str, Any]) -> Callable[..., Any]:
    """`target` with its parameters bound; `target` itself where there are none."""
    return partial(target, **parameters) if parameters else target


def frozen(value: Any) -> Any:
    """Plain values that nobody can change: mappings are read-only and lists are tuples, at every depth."""
    if isinstance(value, Mapping):
        return types.MappingProxyType({key: frozen(item) for key, item in value.items()})
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


def thawed(value: Any) -> Any:
    """A copy of plain values as dicts and lists, at every depth, fit for YAML, JSON and a checkpoint."""
    if isinstance(value, Mapping):
        return {key: thawed(item) for key, item in value.items()}
    return list(map(thawed, value)) if isinstance(value, list | tuple) else value


def is_number(value: Any) -> bool:
    """Whether a plain value is a finite number, small enough for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def check_parameters(target: Any, parameters: Mapping[str, Any], what: str) -> dict[str, inspect.Parameter]:
    """The parameters of `target`, by name. Raises UserError for values that are unknown, missing or of the wrong type.

    Parameters are the keyword-only arguments. A class without any (torch.optim.RMSprop) has those with a default
    as parameters. A function without any may be given its arguments with a default, but none is returned: it may be
    the engine that supplies them.
    """
    if not callable(target):
        if parameters:  # a bundle of functions, such as a loss
            raise UserError(f"{what} takes no parameters; remove {', '.join(parameters)}")
        return {}
    try:
        signature = inspect.signature(target).parameters.values()
    except ValueError:  # written in C, without a signature
        if parameters:
            raise UserError(f"{what} takes no parameters that can be checked; wrap it in a function") from None
        return {}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature):
        return {}
    own = {p.name: p for p in signature if p.kind is p.KEYWORD_ONLY}
    keyword_only = bool(own)
    own = own or {p.name: p for p in signature if p.default is not p.empty}
    for key in parameters:
        if key not in own:
            raise UserError(f"{what} has no parameter {key!r}; {nearest(key, own)}")
    missing = [p.name for p in own.values() if p.default is p.empty and p.name not in parameters]
    if missing:
        values = "".join(f", {name}: {EXAMPLES.get(name, '…')}" for name in missing)
        kind, _, name = what.rpartition(" ")
        mapping = f"{{name: {name[1:-1]}{values}}}"
        flag = f'--model.{kind}="{mapping}"' if kind.startswith("recipe.") else mapping
        raise UserError(f"{what} needs {', '.join(missing)}; give {flag}")
    hints = _hints(target)
    for key, value in parameters.items():
        default = own[key].default
        if key in hints and not (value is None and default is None) and not _fits(value, hints[key]):
            raise UserError(f"{what}: {key} must be {_in_words(hints[key])}, got {value!r}")
    return own if keyword_only or inspect.isclass(target) else {}


def check_arguments(target: Any, values: Mapping[str, Any], section: str, hidden: Collection[str] = ()) -> None:
    """UserError for values of a section that are no arguments of `target`, or not of their annotated types."""
    signature = inspect.signature(target).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.values())
    allowed = signature.keys() - set(hidden)
    try:
        hints = _hints(target)
    except NameError:  # of a library that is imported for type checkers alone
        hints = {}
    for key, value in values.items():
        if key not in allowed and takes_any:
            continue
        if key not in allowed:
            raise UserError(f"unknown key {f'{section}.{key}'!r}; {nearest(key, allowed)}")
        if not (value is None and signature[key].default is None) and not _fits(value, hints.get(key)):
            raise UserError(f"{section}.{key} must be {_in_words(hints[key])}, got {value!r}")


def _hints(target: Any) -> dict[str, Any]:
    """The annotations of a class's constructor or of a function, with their marks."""
    target = target.func if isinstance(target, partial) else target
    return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)


def _is_plain(value: Any) -> bool:
    """Whether a default can be written into a file as it is."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)


def foreign_names(tree: Any, called: bool = False) -> Iterator[str]:
    """All names in a tree of choices that could import code other than `gan`.

    Every key and every string with a dot in it counts: a choice may be a bare string at any depth, and penalties are
    keys. Of trees that are no recipes, give the names alone. With `called`, as in a recipe or for a data set, a path
    into `gan` counts, too: the object is called with parameters that somebody else wrote, and not all of `gan` may be.
    """
    if isinstance(tree, str):
        if "." in tree and (called or tree.split(".")[0] != "gan"):
            yield tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from foreign_names(key, called)
            yield from foreign_names(value, called or key == "recipe")
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from foreign_names(value, called)


def merge(base: Any, change: Any, remove: bool = False) -> Any:
    """`base` with `change` laid over it, key by key. A choice with another name replaces the whole choice.

    A null in `change` removes a key. With `remove` the key is not in the result. Without, it stays there as a null, and
    removes the key when the result is laid over something else.
    """
    if isinstance(change, str) and isinstance(base, Mapping) and "name" in base:
        change = {"name": change}
    if isinstance(base, str) and isinstance(change, Mapping):
        base = {"name": base}
    if isinstance(change, int | float) and isinstance(base, Mapping) and "weight" in base and "name" not in base:
        change = {"weight": change}  # of a penalty, whose interval and parameters stay
    if not (isinstance(base, Mapping) and isinstance(change, Mapping)):
        return without_nulls(change) if remove else change
    if isinstance(change.get("name"), str) and change["name"] != base.get("name", change["name"]):
        return without_nulls(change) if remove else dict(change)
    merged = dict(base)
    for key, value in change.items():
        if value is not None:
            merged[key] = merge(base.get(key), value, remove)
        elif remove:
            merged.pop(key, None)
        else:
            merged[key] = None
    return merged


def without_nulls(value: Any) -> Any:
    """Plain values without the keys that are null, at every depth of mappings."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value has the annotated type. An int counts as a float, a bool never as a number."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _fits(value, arguments[0])
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin in (list, tuple):
        return isinstance(value, list | tuple) and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, Mapping)
    if hint in (int, float):
        return isinstance(value, int if hint is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _in_words(hint: Any) -> str:
    """An annotation, for an error line: `int`, `str | None`, `'grey' or 'rgb'`."""
    if typing.get_origin(hint) is typing.Annotated:
        return _in_words(typing.get_args(hint)[0])
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(hint)))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " | ".join(map(_in_words, typing.get_args(hint)))
    if hint is type(None):
        return "None"
    return hint.__name__ if type(hint) is type else str(hint)
