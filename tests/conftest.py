"""Shared fixtures.

torch computes with one thread, or with as many as the environment variable GAN_TEST_THREADS says.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

MNIST_ROOT = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


@pytest.fixture(scope="session", autouse=True)
def threads():
    torch.set_num_threads(int(os.environ.get("GAN_TEST_THREADS", "1")))


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """A trainer with DDP leaves LOCAL_RANK and its port behind, and a later test's processes would wait for ranks."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """Folder with the four official idx files, gzipped."""
    if not (MNIST_ROOT / "train-images-idx3-ubyte.gz").exists():
        pytest.skip("the official MNIST files are not at ../shared/data/mnist")
    return MNIST_ROOT
