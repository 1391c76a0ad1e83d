"""YAML: a key is given once, and hostile text stays small."""

import time
from contextlib import suppress

import pytest

from gan.base.errors import UserError
from gan.runs.yaml_files import parse_value, read_yaml


def read(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    return read_yaml(tmp_path / "c.yaml", "c.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model: A\nmodel: B\n", "'model' is given twice, in line 1 and in line 2"),
        ("trainer:\n  max_steps: 1\n\n  max_steps: 2\n", "'max_steps' is given twice, in line 2 and in line 4"),
        ("a: [{b: 1, b: 2}]\n", "'b' is given twice, in line 1 and in line 1"),
        ("a: {1: 2, 1: 3}\n", "'1' is given twice"),
    ],
)
def test_a_key_that_is_given_twice_is_refused_with_its_lines(text, says, tmp_path):
    with pytest.raises(UserError, match=rf"c\.yaml: the key {says}"):
        read(tmp_path, text)


def test_a_flag_s_key_is_given_once_too():
    with pytest.raises(UserError, match="--x: the key 'b' is given twice"):
        parse_value("{b: 1, b: 2}", "--x")


def test_what_a_mapping_takes_over_it_may_say_otherwise(tmp_path):
    text = "base: &base {lr: 1, momentum: 2}\nmine:\n  <<: *base\n  lr: 1e-4\n"
    assert read(tmp_path, text)["mine"] == {"lr": 1e-4, "momentum": 2}
    text = "base: &base {lr: 1}\na: {deep: &deep {<<: *base, lr: 2}}\nb: {<<: *deep}\n"
    assert read(tmp_path, text) == {"base": {"lr": 1}, "a": {"deep": {"lr": 2}}, "b": {"lr": 2}}


LAUGHS = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" if i else "l0: &l0 [a]" for i in range(12))
MERGES = "\n".join(
    f"l{i}: &l{i} {{<<: [{', '.join([f'*l{i - 1}'] * 9)}], k{i}: 1}}" if i else "l0: &l0 {a: 1}" for i in range(12)
)


@pytest.mark.parametrize(
    "text",
    [LAUGHS, "a: &a [*a]", "a: &a {b: *a}", "[" * 5000, "a: " + "9" * 5000, "a: 2024-13-45", "#" * 2_000_000],
    ids=["aliases", "in itself", "in its key", "deep", "digits", "date", "large"],
)
def test_hostile_text_is_refused_at_once(text, tmp_path):
    start = time.process_time()
    with pytest.raises(UserError, match=r"c\.yaml: .{,200}$"):
        read(tmp_path, text)
    assert time.process_time() - start < 10


def test_mappings_that_take_over_others_many_times_stay_small(tmp_path):
    """Some versions of PyYAML multiply them, which is refused."""
    start = time.process_time()
    with suppress(UserError):
        assert max(map(len, read(tmp_path, MERGES).values())) <= 12
    assert time.process_time() - start < 10
