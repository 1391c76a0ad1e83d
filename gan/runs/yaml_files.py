"""Reads YAML for configurations: 1e-4 is a number, no key is given twice, and no file may grow large."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from gan.base.errors import UserError
from gan.base.plain import MAX_VALUES, plain

MAX_BYTES = 1_000_000  # of a file
Lines = dict[tuple[Any, ...], int]  # the keys that lead to a place -> its line
MERGE = "tag:yaml.org,2002:merge"  # the key `<<`; a mapping's own keys win over those that it merges


if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _Safe(Composer, CParser, SafeConstructor, Resolver):
        """`yaml.SafeLoader` with libyaml's parser: six times as fast, so that a thousand configurations take a second.

        Nodes are composed in Python, where `_Loader` looks at them.
        """

        def __init__(self, stream: Any) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

else:
    _Safe = yaml.SafeLoader  # type: ignore[misc, assignment]


class _Loader(_Safe):
    """Reads YAML 1.1, but takes 1e-4 for a number and refuses a key that is given twice."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            if key.tag == MERGE or not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if (key.tag, key.value) in lines:
                where = f"in line {lines[key.tag, key.value]} and in line {line}"
                raise UserError(f"the key {key.value!r} is given twice, {where}; remove one of them")
            lines[key.tag, key.value] = line
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MAX_VALUES:
            raise UserError(f"stands for more than {MAX_VALUES:,} values")


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads: a text that it would take for a number stands in quotes."""


for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)$|^[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?$"),
        list("-+.0123456789"),
    )


def to_yaml(tree: Mapping[str, Any]) -> str:
    """Return the text of a configuration, which `read_yaml` reads as the same tree."""
    return yaml.dump(dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def parse_value(text: str, where: str) -> Any:
    """Return a flag's value, read as YAML."""
    return _load(text, where, f"cannot read {text[:80]!r} as YAML")


def read_yaml(path: Path, where: str) -> dict[str, Any]:
    """Return the mapping in a file. UserError, which begins with `where`, for anything else."""
    tree = read_tree(path, where)
    if not isinstance(tree, Mapping):
        raise UserError(f"{where}: must be a mapping of keys such as model, data and trainer")
    return dict(tree)


def lines_of(path: Path) -> Lines:
    """Return key path -> line of each key in a file that `read_yaml` has read."""
    lines: Lines = {}

    def visit(node: Any, place: tuple[Any, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    lines[*place, key.value] = key.start_mark.line + 1
                    visit(value, (*place, key.value))

    visit(yaml.compose(path.read_text(encoding="utf-8"), _Loader), ())  # type: ignore[arg-type]
    return lines


def read_tree(path: Path, where: str) -> Any:
    """Return the plain values in a file. UserError, which begins with `where`, for what is no YAML."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UserError(f"has more than {MAX_BYTES:,} bytes; a configuration is small")
        text = content.decode("utf-8")
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{where}: not readable as YAML ({str(error)[:160]})") from None
    return _load(text, where, "not readable as YAML")


def _load(text: str, where: str, fault: str) -> Any:
    """Return the tree in a text. UserError, which begins with `where`, for what is no YAML of plain values."""
    try:
        tree = yaml.load(text, _Loader)  # type: ignore[arg-type]  # a SafeLoader
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    except Exception as error:  # its constructors raise whatever int, date and others raise for a word
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{where}: {fault} ({reason})") from None
    return plain(tree, where)
