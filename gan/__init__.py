"""Train, measure and compare small-image GANs on PyTorch Lightning."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan.runs.checkpoint import load
    from gan.runs.evaluate import evaluate, scores
    from gan.runs.export import export
    from gan.runs.fit import fit, resume
    from gan.runs.sample import sample

__version__ = "0.3.0"
__all__ = ["__version__", "evaluate", "export", "fit", "load", "resume", "sample", "scores"]

# Imported at first use: torch takes seconds.
_PLACES = {
    "evaluate": "evaluate",
    "export": "export",
    "fit": "fit",
    "load": "checkpoint",
    "resume": "fit",
    "sample": "sample",
    "scores": "evaluate",
}


def __getattr__(name: str) -> Any:
    """`gan.fit` and the others."""
    if name in _PLACES:
        return getattr(importlib.import_module(f"gan.runs.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'gan' has no attribute {name!r}")
