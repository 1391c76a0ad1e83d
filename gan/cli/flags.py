"""Parses the words of a command line: `--key.sub=value`, `--key.sub value`, and switches without a value."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gan.base.choices import nearest
from gan.base.errors import UserError
from gan.base.plain import MAX_DEPTH
from gan.runs.config import KEYS, canonical, laid_over
from gan.runs.yaml_files import parse_value

TEXTS = ("run", "data.root", "data.fonts", "data.test")  # stay text: a folder may be called 2024
SHORT = {"logger": "trainer.logger"}


@dataclass
class Flags:
    """What a command line says."""

    tree: dict[str, Any] = field(default_factory=dict)  # the keys of a configuration, with their values
    names: list[str] = field(default_factory=list)  # of the flags that made the tree, in their order
    words: dict[str, list[str]] = field(default_factory=dict)  # values of flags that may be given several times
    switches: set[str] = field(default_factory=set)  # flags without a value


def parse_flags(arguments: Sequence[str], words: Sequence[str] = (), switches: Sequence[str] = ()) -> Flags:
    """Parse a command line. Values are read as YAML. UserError for a word that is no flag, and for unknown keys."""
    flags, rest = Flags(words={word: [] for word in words}), list(arguments)
    known = (*KEYS, *words, *switches)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            raise UserError(f"{word!r} is not a flag; flags are --key=value, for example --model.recipe.prior=uniform")
        name, given, value = word[2:].partition("=")
        name = SHORT.get(name, name)
        key = name.split(".")[0]
        if name in switches:
            if given:
                raise UserError(f"--{name} takes no value")
            flags.switches.add(name)
            continue
        unknown = f"unknown key {key!r}; {nearest(key, known)}"
        if not given:
            if not rest or rest[0].startswith("--"):
                hint = "" if key in known else f"; {unknown}"
                raise UserError(f"--{name} needs a value, as in --{name}=VALUE{hint}")
            value = rest.pop(0)
        if name in words:
            flags.words[name].append(value)
        elif key not in KEYS:
            raise UserError(f"--{name}: {unknown}")
        else:
            flags.names.append(name)
            flags.tree = laid_over(flags.tree, canonical(_tree(name, value), f"--{name}"))
    return flags


def _tree(name: str, text: str) -> dict[str, Any]:
    """Return {a: {b: 1}} for the flag `a.b=1`."""
    if name.count(".") > MAX_DEPTH:
        raise UserError(f"--{name[:40]}…: more than {MAX_DEPTH} parts in the name of a key")
    value: Any = text
    if name not in TEXTS or text == "null":
        value = parse_value(text, f"--{name}")
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


class Parser(argparse.ArgumentParser):
    """An argparse parser that takes only whole option names, and reports mistakes as UserError."""

    def __init__(self, **settings: object) -> None:
        super().__init__(allow_abbrev=False, **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise UserError, as for every other mistake."""
        raise UserError(f"{message}; see {self.prog} --help")


def add_source(parser: Parser) -> None:
    """Add the options that find a trained generator. They are named as arguments of `gan.sample` and `gan.evaluate`."""
    parser.add_argument("path", metavar="CKPT|RUN", help="a run, a checkpoint, a snapshot, or an export")
    help = "of a run: the last (default), or the one with the lowest FID on held-out images"
    parser.add_argument("--checkpoint", choices=("last", "best"), help=help)
    help = "the generator's own weights, or their average (default: the average where there is one)"
    parser.add_argument("--weights", choices=("raw", "ema"), help=help)
    help = "a package outside gan that its code may come from"
    parser.add_argument("--allow-import", action="append", default=[], metavar="PACKAGE", help=help)
