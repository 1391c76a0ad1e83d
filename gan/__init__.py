"""Train, measure and compare small-image GANs on PyTorch Lightning."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan.runs.checkpoint import load
    from gan.runs.evaluate import evaluate
    from gan.runs.fit import fit, resume
    from gan.runs.sample import sample

__version__ = "0.3.0"
__all__ = ["__version__", "evaluate", "fit", "load", "resume", "sample"]

# Imported at first use: torch takes seconds.
_PLACES = {"load": "checkpoint", "evaluate": "evaluate", "fit": "fit", "resume": "fit", "sample": "sample"}


def __getattr__(name: str) -> Any:
    """`gan.fit` and the others."""
    if name in _PLACES:
        return getattr(importlib.import_module(f"gan.runs.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'gan' has no attribute {name!r}")
