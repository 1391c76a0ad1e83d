"""Train, measure and compare small-image GANs on PyTorch Lightning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan.checkpoint import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`gan.load`, imported at first use: torch takes seconds."""
    if name == "load":
        from gan.checkpoint import load

        return load
    raise AttributeError(f"module 'gan' has no attribute {name!r}")
