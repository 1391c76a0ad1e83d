"""Choices: one shape for every named part of a recipe (prior, init, loss, network, optimizer, data set …).

A choice is a registry key (`normal`), a key with parameters (`{name: truncated_normal, bound: 2}`) or an importable
path (`mylab.priors.student_t`) for code outside this package. Whatever it names, its parameters are the ones after
those that the engine supplies; in this package they are keyword-only, and each is checked against its annotation.
"""

import difflib
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from gan.base.errors import UserError

Choice = str | dict[str, Any]  # in a signature; `normalise` gives the mapping

MANY = 8  # names that an error line does not list


def normalise(choice: str | Mapping[str, Any], kind: str) -> dict[str, Any]:
    """`normal` -> `{"name": "normal"}`; parameters set to null are dropped."""
    if isinstance(choice, str):
        return {"name": choice}
    if isinstance(choice, Mapping) and isinstance(choice.get("name"), str):
        return {key: value for key, value in choice.items() if value is not None}
    raise UserError(f"{kind}: {choice!r} is not a choice; give a name, or a mapping such as {{name: …, parameter: …}}")


def resolve(choice: str | Mapping[str, Any], registry: Mapping[str, Any], kind: str) -> tuple[Callable, dict[str, Any]]:
    """The object that a choice names, and its parameters, checked against the object's signature.

    Raises UserError for an unknown name, an import that fails and parameters that are unknown or of the wrong type.
    """
    parameters = normalise(choice, kind)
    name = parameters.pop("name")
    if name in registry:
        target = registry[name]
    elif "." in name:
        target = import_path(name, kind)
    else:
        raise UserError(f"{kind}: unknown name {name!r}; {nearest(name, registry)}")
    check_parameters(target, parameters, f"{kind} {name!r}")
    return target, parameters


def bound(target: Callable[..., Any], parameters: dict[str, Any]) -> Callable[..., Any]:
    """`target` with its parameters, itself where there are none: what is no function takes none."""
    return partial(target, **parameters) if parameters else target


def is_number(value: Any) -> bool:
    """Whether a plain value is a finite number, small enough for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def import_path(path: str, kind: str) -> Any:
    """The object at a dotted path, from any importable package (the working directory counts as one)."""
    module_name, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{kind}: cannot import {path!r} ({error}); it must be importable from here") from None


def import_from(directory: str | None) -> None:
    """Let user code be imported from a directory, as it was where its run began."""
    if directory and directory not in sys.path:
        sys.path.append(directory)


def nearest(name: object, known: Iterable[str]) -> str:
    """`did you mean 'x'? Allowed: …`, for the end of an error line; a long list only where nothing is near."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    allowed = f"allowed: {', '.join(known) or 'none'}"
    if not close:
        return allowed
    return f"did you mean {close[0]!r}?" + (f" ({allowed})" if len(known) <= MANY else "")


def check_parameters(target: Any, parameters: Mapping[str, Any], what: str) -> None:
    """Refuse parameters that `target` does not take, lacks, or takes in another type."""
    if not callable(target):
        if parameters:  # a bundle of functions, such as a loss, takes none
            raise UserError(f"{what} takes no parameters; remove {', '.join(parameters)}")
        return
    try:
        signature = inspect.signature(target).parameters.values()
    except ValueError:  # written in C, without a signature
        if parameters:
            raise UserError(f"{what} takes no parameters that can be checked; wrap it in a function") from None
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature):
        return
    own = {p.name: p for p in signature if p.kind is p.KEYWORD_ONLY}
    # Code from elsewhere (torch.optim.RMSprop) has no keyword-only part: there, what has a default is a parameter.
    own = own or {p.name: p for p in signature if p.default is not p.empty}
    for key in parameters:
        if key not in own:
            raise UserError(f"{what} has no parameter {key!r}; {nearest(key, own)}")
    missing = [p.name for p in own.values() if p.default is p.empty and p.name not in parameters]
    if missing:
        raise UserError(f"{what} needs {', '.join(missing)}; give it as {{name: …, {missing[0]}: …}}")
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    for key, value in parameters.items():
        if key in hints and not _fits(value, hints[key]):
            raise UserError(f"{what}: {key} must be {_in_words(hints[key])}, got {value!r}")


def foreign_names(tree: Any, called: bool = False) -> Iterator[str]:
    """Whatever a tree of choices could import beyond registered names and classes of `gan`.

    That is every key and every string with a dot in it: a choice may be a bare string at any depth, and penalties are
    keys, so that nothing less is safe. Where what is named is `called`, as in a recipe or for a data set, a path into
    `gan` counts, too: not all of it may be called with parameters that somebody else wrote.
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


def merge(base: Any, change: Any) -> Any:
    """`base` with `change` over it, key by key; null removes a key, another name replaces a whole choice."""
    if isinstance(change, str) and isinstance(base, Mapping) and "name" in base:
        change = {"name": change}
    if isinstance(base, str) and isinstance(change, Mapping):
        base = {"name": base}
    if isinstance(change, int | float) and isinstance(base, Mapping) and "weight" in base and "name" not in base:
        change = {"weight": change}  # of a penalty, whose interval and parameters stay
    if not (isinstance(base, Mapping) and isinstance(change, Mapping)):
        return change
    if isinstance(change.get("name"), str) and change["name"] != base.get("name", change["name"]):
        return dict(change)
    merged = dict(base)
    for key, value in change.items():
        merged[key] = None if value is None else merge(base.get(key), value)
    return merged


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value has the annotated type; an int passes for a float, a bool never for a number."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
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
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(hint)))
    return hint.__name__ if type(hint) is type else str(hint)
