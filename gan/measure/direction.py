"""Which of two values is better. Torch is not needed."""

import math
from typing import Literal

Better = Literal["lower", "higher"] | float  # a number: the nearer to it the better


def loss(value: float | None, better: Better = "lower") -> float:
    """Return a number that is smaller for a better value; infinity for a value that is missing or not finite."""
    if value is None or not math.isfinite(value):
        return math.inf
    if isinstance(better, str):
        return -value if better == "higher" else value
    return abs(value - better)
