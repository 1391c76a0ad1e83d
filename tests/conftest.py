"""Shared fixtures."""

from pathlib import Path

import pytest
import torch

MNIST_ROOT = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """Folder with the four official idx files, gzipped."""
    if not (MNIST_ROOT / "train-images-idx3-ubyte.gz").exists():
        pytest.skip("the official MNIST files are not at ../shared/data/mnist")
    return MNIST_ROOT
