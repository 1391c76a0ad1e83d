"""The fixture of all fuzz tests."""

import pytest
from fuzz_support import Watch


@pytest.fixture(scope="session")
def watch() -> Watch:
    """Notes what Python does outside a folder, for the whole session: an audit hook cannot be removed."""
    return Watch()
