"""What the shared fixtures promise to every test."""

from pathlib import Path

pytest_plugins = ["pytester"]

TWO_TESTS = """
import os
import torch

def test_that_leaves_a_rank_and_threads_behind():
    os.environ["LOCAL_RANK"] = "0"
    torch.set_num_threads(3)

def test_that_starts_processes():
    assert "LOCAL_RANK" not in os.environ
    assert torch.get_num_threads() == int(os.environ.get("GAN_TEST_THREADS", "1"))
"""


def test_a_test_leaves_the_environment_and_the_threads_as_they_were(pytester):
    """A rank of a trainer with DDP made the processes of later tests wait for others until their time was up."""
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(TWO_TESTS)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
