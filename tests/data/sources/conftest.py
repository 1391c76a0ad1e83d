"""What every test of a source starts with."""

import pytest

from gan.base.notes import forget


@pytest.fixture(autouse=True)
def fresh_notes():
    forget()
