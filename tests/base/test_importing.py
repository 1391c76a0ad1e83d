"""Importing: any error of a module is one line with its place, and namesakes of two folders do not mix."""

import sys

import pytest

from gan.base.errors import UserError
from gan.base.importing import import_folders_restored, import_from, import_path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = (", r"SyntaxError.*mend .*broken_module\.py, line 1"),
        ("a = 1\n1 / 0\n", r"ZeroDivisionError: .*mend .*broken_module\.py, line 2"),
        ("import no_such_library", "No module named 'no_such_library'"),
    ],
)
def test_a_module_that_raises_is_one_line(text, says, tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=f"recipe.prior: cannot import 'broken_module.x' .*{says}"):
        import_path("broken_module.x", "recipe.prior")


@pytest.mark.parametrize("path", [".x", "...", "", "a..b", "x."])
def test_what_is_no_path_is_one_line(path):
    with pytest.raises(UserError, match="cannot import"):
        import_path(path, "recipe.prior")


def test_namesakes_of_two_folders_do_not_mix(tmp_path, monkeypatch):
    for name in ("first", "second"):
        (tmp_path / name / "namesake").mkdir(parents=True)
        (tmp_path / name / "namesake" / "__init__.py").write_text("")
        (tmp_path / name / "namesake" / "part.py").write_text(f"where = {name!r}")
        (tmp_path / name / "json.py").write_text("raise SystemExit")
    path, library = list(sys.path), sys.modules["json"]
    for name in ("first", "second", "first"):
        with import_folders_restored():
            import_from(str(tmp_path / name))
            assert import_path("namesake.part.where", "x") == name
    assert sys.path == path
    assert sys.modules["json"] is library
    for name in ("namesake", "namesake.part"):
        monkeypatch.delitem(sys.modules, name)
