"""What the shared fixtures promise to every test."""

from pathlib import Path

pytest_plugins = ["pytester"]

TWO_TESTS = """
import os

def test_that_leaves_a_rank_behind():
    os.environ["LOCAL_RANK"] = "0"

def test_that_starts_processes():
    assert "LOCAL_RANK" not in os.environ
"""


def test_a_test_leaves_the_environment_as_it_was(pytester):
    """A rank of a trainer with DDP made the processes of later tests wait for others until their time was up."""
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(TWO_TESTS)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
