"""Laws that hold for any input: a result or one line, soon, in bounded memory; nothing outside is touched or run.

By default each test tries a few examples, always the same. Those marked slow draw new ones for GAN_FUZZ_SECONDS each
(default 400).
"""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gan.base.errors import UserError

SECONDS, BYTES = 10.0, 2**30  # the most that one input may take
LINE = 2000  # characters

long_too = pytest.mark.parametrize("seconds", [0, pytest.param(400, marks=pytest.mark.slow)], ids=["short", "long"])


def fuzz(check: Callable[[Any], None], strategy: st.SearchStrategy[Any], examples: int, seconds: float) -> None:
    """Call `check` with that many examples, or with new ones for so many seconds."""
    every = {"phases": [Phase.generate], "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
    if not seconds:
        settings(max_examples=examples, derandomize=True, **every)(given(strategy)(check))()
        return
    end = time.monotonic() + float(os.environ.get("GAN_FUZZ_SECONDS", seconds))
    while time.monotonic() < end:
        settings(max_examples=10 * examples, **every)(given(strategy)(check))()


class Watch:
    """Notes what Python does outside a folder: files written, moved or removed, programs started, connections."""

    def __init__(self) -> None:
        self.root: str | None = None
        self.seen: list[str] = []
        sys.addaudithook(self)  # for the process's life

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.root is None:
            return
        if event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect"):
            if arguments[0] == "git":  # provenance asks it for the commit
                return
            self.seen.append(f"{event} {arguments!r:.200}")
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.symlink"):
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                place = os.path.abspath(os.fsdecode(path))
                if not place.startswith((self.root, "/dev/")):
                    self.seen.append(f"{event} {place}")


@contextmanager
def lawful(watch: Watch, root: Path, *allowed: type[Exception]) -> Iterator[None]:
    """Within it, an input may be refused in one line, or with one of the errors `allowed`, and that is all."""
    start, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    watch.root, watch.seen, line = str(root), [], ""
    try:
        yield
    except (UserError, *allowed) as error:
        line = str(error)
    finally:
        watch.root = None
    assert len(line) < LINE
    assert len(line.splitlines()) < 2, line
    assert not watch.seen, watch.seen
    assert time.process_time() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024 < BYTES


PIECES = (b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff", b"[" * 3000)


@st.composite
def damaged(draw: Any, *originals: bytes) -> bytes:
    """A sound file with some bytes changed, cut out or put in."""
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, min(len(content), draw(st.sampled_from((64, 1024, 2**30))))))
        piece = draw(
            st.binary(max_size=8) | st.sampled_from((b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff", b"[" * 3000))
        )
        match draw(st.sampled_from(("change", "insert", "cut", "end"))):
            case "change":
                content[place : place + len(piece)] = piece
            case "insert":
                content[place:place] = piece
            case "cut":
                del content[place : place + draw(st.integers(1, 2000))]
            case "end":
                del content[place:]
    return bytes(content)


WORDS = (
    *("2024-13-45", "0b_", "9" * 6000, "0x" + "f" * 6000, "[" * 3000, "&a [*a]", "!!bool maybe", "!!int x", "...", "~"),
    *(".x", "a.b", "os.system", "gan.cli.main", "$HOME", "~/x", "a::b", "file:x", "s3://x/y", "\0", "\udcff", "a\nb"),
    *(
        "1e999",
        ".nan",
        "-1",
        "0",
        "3",
        "1.5",
        "true",
        "null",
        "{name: normal}",
        "{name: [1]}",
        "{1: 2}",
        "[]",
        "[1, [2]]",
    ),
    *("!!set {a}", "2024-01-01", "!!binary aGk=", "{<<: {a: 1}}", "normal", "mlp", "adam", "10" * 9, "a" * 5000, "''"),
    *("{name: linear_ramp, final: 0, updates: 3}", "[1000000000]", "{weight: 1, interval: 0}", "%s", "{0}", "\\", "é"),
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


REMOVED = "removed"


@st.composite
def alterations(draw: Any, tree: Any, values: st.SearchStrategy[Any] = junk) -> list[tuple[tuple[Any, ...], Any]]:
    """One or two places in a tree of plain values, as keys from its root, each with its new value, or REMOVED."""
    found = []
    for _ in range(draw(st.integers(1, 2))):
        place, path = tree, ()
        while isinstance(place, dict | list) and place and (not path or draw(st.integers(0, 4))):
            key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
            place, path = place[key], (*path, key)
        found.append((path, draw(st.just(REMOVED) | values)))
    return found


def with_alterations(tree: Any, changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    """The tree with these alterations, where they still have a place."""
    result = _copied(tree)
    for path, value in changes:
        place = result
        try:
            for key in path[:-1]:
                place = place[key]
            if isinstance(value, str) and value == REMOVED:
                del place[path[-1]]
            else:
                place[path[-1]] = value
        except (KeyError, IndexError, TypeError, RuntimeError, ValueError):  # another alteration took the place away
            continue
    return result


def altered(tree: Any, values: st.SearchStrategy[Any] = junk) -> st.SearchStrategy[Any]:
    """A tree of plain values in which one or two values are removed or are others."""
    return alterations(tree, values).map(lambda changes: with_alterations(tree, changes))


def _copied(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _copied(value) for key, value in tree.items()}
    return [_copied(value) for value in tree] if isinstance(tree, list) else tree
