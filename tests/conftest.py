"""Shared fixtures.

torch computes with one thread, or with as many as the environment variable GAN_TEST_THREADS says.
"""

import functools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gan.base.imports import cheap_imports

with cheap_imports():  # as the command does
    import pytorch_lightning  # noqa: F401

MNIST_ROOT = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


# Files with processes of their own and long fixtures come first: the rest is then shared evenly among the workers.
LONG = ("test_ddp", "test_resume", "test_several_runs", "test_new", "test_gpu_check", "test_extending", "test_output")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first."""
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture(scope="session", autouse=True)
def threads() -> None:
    use_threads()


def use_threads() -> None:
    count = os.environ["OMP_NUM_THREADS"] = os.environ.get("GAN_TEST_THREADS", "1")
    torch.set_num_threads(int(count))


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    """Take the signals as a terminal's command does. A shell's background job ignores Ctrl-C, one of nohup a hangup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def constants_once() -> Iterator[None]:
    """A trainer reads the entry points of all installed packages, a run the csv of the embedded digits: 50 ms each."""
    with pytest.MonkeyPatch.context() as patch:
        if registry := sys.modules.get("lightning_fabric.utilities.registry"):
            patch.setattr(registry, "entry_points", functools.cache(registry.entry_points))
        if mnist := sys.modules.get("gan.data.sources.mnist"):
            read = functools.cache(mnist.read_embedded)
            patch.setattr(mnist, "read_embedded", lambda: tuple(part.copy() for part in read()))
        yield


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """A trainer with DDP leaves LOCAL_RANK and its port behind, and a later test's processes would wait for ranks.

    It also leaves torch with more threads, which makes the tests after it three times as slow.
    """
    before = dict(os.environ)
    yield
    use_threads()
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """Folder with the four official idx files, gzipped."""
    if not (MNIST_ROOT / "train-images-idx3-ubyte.gz").exists():
        pytest.skip("the official MNIST files are not at ../shared/data/mnist")
    return MNIST_ROOT
