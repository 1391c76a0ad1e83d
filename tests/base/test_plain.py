"""Plain values: what Python gives is written as a file would say it, or refused in one line."""

from datetime import date, timedelta
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest
import torch

from gan.base.errors import UserError
from gan.base.plain import plain


class Text(str):
    pass


class Number(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "copy"),
    [
        *[(np.int64(3), 3), (np.float32(0.5), 0.5), (np.bool_(True), True), (torch.tensor(2), 2), (Number.ONE, 1)],
        *[(Text("x"), "x"), (Path("a/b"), "a/b"), (timedelta(minutes=2), {"seconds": 120.0}), ((1, (2,)), [1, [2]])],
        ({"a": {"b": (np.str_("c"),)}}, {"a": {"b": ["c"]}}),
    ],
)
def test_values_of_libraries_become_those_of_python(value, copy):
    found = plain(value, "x")
    assert found == copy
    assert type(found) is type(copy)


IN_ITSELF: list = []
IN_ITSELF.append(IN_ITSELF)
LAUGHS: list = ["a"]
for _ in range(9):
    LAUGHS = [LAUGHS] * 9


@pytest.mark.parametrize(
    "value", [{1, 2}, b"x", object(), date(2024, 1, 1), np.zeros(3), 10**5000, IN_ITSELF, LAUGHS], ids=lambda v: type(v)
)
def test_what_no_file_can_say_is_refused_in_one_line(value):
    with pytest.raises(UserError, match=r"^trainer: ") as refused:
        plain({"a": value}, "trainer")
    assert len(str(refused.value)) < 300
