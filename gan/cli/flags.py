"""Words of a command line, taken apart: `--key.sub=value` or `--key.sub value`, and bare switches."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gan.base.choices import nearest
from gan.base.errors import UserError
from gan.runs.config import KEYS, canonical, laid_over
from gan.runs.yaml_files import parse_value

TEXTS = ("run", "data.root", "data.fonts")  # a folder may be called 2024


@dataclass
class Flags:
    """What the words give: a tree of keys, words that may be given often, and switches."""

    tree: dict[str, Any] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)  # of the tree's flags, in their order
    words: dict[str, list[str]] = field(default_factory=dict)
    switches: set[str] = field(default_factory=set)


def parse_flags(arguments: Sequence[str], words: Sequence[str] = (), switches: Sequence[str] = ()) -> Flags:
    """Take a command line apart; values are read as YAML. UserError for what is no flag, and for unknown keys."""
    flags, rest = Flags(words={word: [] for word in words}), list(arguments)
    known = (*KEYS, *words, *switches)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            raise UserError(f"{word!r} is not a flag; flags are --key=value, for example --model.recipe.prior=uniform")
        name, given, value = word[2:].partition("=")
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
    """`a.b=1` as {a: {b: 1}}."""
    value: Any = text
    if name not in TEXTS or text == "null":
        value = parse_value(text, f"--{name}")
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


class Parser(argparse.ArgumentParser):
    """argparse that takes whole option names only, and reports mistakes as UserError."""

    def __init__(self, **settings: object) -> None:
        super().__init__(allow_abbrev=False, **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        """One line, as for every other mistake."""
        raise UserError(f"{message}; see {self.prog} --help")


def add_source(parser: Parser) -> None:
    """The options of a trained generator, named as the arguments of `gan.sample` and `gan.evaluate`."""
    parser.add_argument("path", metavar="CKPT|RUN", help="a run, a checkpoint, or a generator snapshot")
    help = "of a run: the last (default), or the one with the lowest FID on held-out images"
    parser.add_argument("--checkpoint", choices=("last", "best"), help=help)
    help = "the generator's own weights, or their average (default: the average where there is one)"
    parser.add_argument("--weights", choices=("raw", "ema"), help=help)
    help = "a package outside gan that its code may come from"
    parser.add_argument("--allow-import", action="append", default=[], metavar="PACKAGE", help=help)
