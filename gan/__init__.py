"""Train, measure and compare small-image GANs on PyTorch Lightning."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan.runs.checkpoint import load

__version__ = version("gan")  # pyproject.toml says it
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`gan.load`, imported at first use: torch takes seconds."""
    if name == "load":
        from gan.runs.checkpoint import load

        return load
    raise AttributeError(f"module 'gan' has no attribute {name!r}")
