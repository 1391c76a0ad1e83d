"""Train, measure and compare small-image GANs on PyTorch Lightning."""

import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan.runs.checkpoint import load

try:
    __version__ = importlib.metadata.version("gan")  # pyproject.toml says it
except importlib.metadata.PackageNotFoundError:  # a checkout on PYTHONPATH, not installed
    __version__ = "0+checkout"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`gan.load`, imported at first use: torch takes seconds."""
    if name == "load":
        from gan.runs.checkpoint import load

        return load
    raise AttributeError(f"module 'gan' has no attribute {name!r}")
