"""Makes the objects in the section `trainer` (loggers, callbacks, plugins, a profiler) from names and arguments."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gan.base.choices import check_arguments, nearest
from gan.base.errors import UserError, usable
from gan.base.importing import import_path


class Kind(NamedTuple):
    """What an argument of the Trainer takes: classes of these bases. Those in `module` need no path."""

    module: Any
    bases: tuple[type, ...]
    words: tuple[str, ...] = ()  # words that the Trainer itself understands


KEYS = ("logger", "callbacks", "plugins", "profiler")


def _kind(key: str) -> Kind:
    """Return what an argument takes. Lightning is imported here, since names are looked at without it, too."""
    import pytorch_lightning as pl
    from pytorch_lightning import callbacks, loggers, plugins, profilers

    if key == "logger":
        return Kind(loggers, (loggers.Logger,))
    if key == "callbacks":
        return Kind(callbacks, (pl.Callback,))
    if key == "plugins":
        bases = (plugins.Precision, plugins.ClusterEnvironment, plugins.CheckpointIO, plugins.LayerSync)
        return Kind(plugins, bases)
    return Kind(profilers, (profilers.Profiler,), ("simple", "advanced", "pytorch", "xla"))


def named_classes(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield every name in the section by which `built` would import a class."""
    for key in set(KEYS) & settings.keys():
        value = settings[key]
        for item in value if isinstance(value, list | tuple) else [value]:
            name = item.get("class_path") if isinstance(item, Mapping) else item
            if isinstance(name, str):
                yield name


def built(value: Any, key: str) -> Any:
    """Return the value of a Trainer's argument, made from NAME, {class_path: NAME, init_args: {…}}, or a list."""
    kind = _kind(key)
    if isinstance(value, list | tuple):
        return [_object(item, key, kind) for item in value]
    if value is None or (key == "logger" and isinstance(value, bool)) or value in kind.words:
        return value
    item = _object(value, key, kind)
    return item if key in ("logger", "profiler") else [item]


def _object(item: Any, key: str, kind: Kind) -> Any:
    item = {"class_path": item} if isinstance(item, str) else item
    if (
        not isinstance(item, Mapping)
        or not item.keys() <= {"class_path", "init_args"}
        or not isinstance(item.get("class_path"), str)
        or not isinstance(item.get("init_args"), Mapping | None)
    ):
        raise UserError(f"trainer.{key}: give a class's name, or {{class_path: NAME, init_args: {{…}}}}, got {item!r}")
    name, arguments = item["class_path"], dict(item.get("init_args") or {})
    target = import_path(name, f"trainer.{key}") if "." in name else vars(kind.module).get(name)
    if not (isinstance(target, type) and issubclass(target, kind.bases)):
        allowed = [n for n, c in vars(kind.module).items() if isinstance(c, type) and issubclass(c, kind.bases)]
        hint = nearest(name, allowed)
        hint = hint if "did you mean" in hint else f"give a class of {kind.module.__name__}, or an importable path"
        raise UserError(f"trainer.{key}: {name} is no {kind.bases[0].__name__}; {hint}")
    check_arguments(target, arguments, f"trainer.{key}.init_args")
    with usable(f"trainer.{key} {name}"):
        return target(**arguments)
