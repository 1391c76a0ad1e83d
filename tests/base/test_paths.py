"""Paths are made absolute and expanded once; what a shell or a library would read as something else is refused."""

from pathlib import Path

import pytest

from gan.base.errors import UserError
from gan.base.paths import absolute

WRONG = {
    "a::b": "address",
    "a/b::c": "chain",
    "file:x": "address",
    "s3://bucket/x": "address",
    "a/b://c": "address",
    "$HOME/x": "not expanded",
    "${HOME}": "not expanded",
    "a\0b": "control",
    "a\nb": "control",
    b"\xff".decode(errors="surrogateescape"): "UTF-8",
    "x" * 5000: "cannot be used",
    "~nobody_of_this_name/x": "no home",
    "": "empty",
}


def test_a_path_is_absolute_and_expanded_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute("a/../b", "x") == tmp_path / "b"
    assert absolute(Path("~/r"), "x") == tmp_path / "home" / "r"
    assert absolute("./file:x", "x") == tmp_path / "file:x"
    assert absolute("a b ü $ ~", "x") == tmp_path / "a b ü $ ~"


@pytest.mark.parametrize(("path", "says"), WRONG.items())
def test_what_is_read_as_something_else_is_refused_in_one_line(path, says):
    with pytest.raises(UserError, match=f"^--run .*{says}") as refused:
        absolute(path, "--run")
    assert len(str(refused.value)) < 1300


@pytest.mark.parametrize("path", [None, 3, b"bytes", ["a"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(UserError, match="must be a path"):
        absolute(path, "--run")
