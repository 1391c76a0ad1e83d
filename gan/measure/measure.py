"""One shape for every measure: what it is called, what it looks at, and what its values mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Generator, Tensor

from gan.measure.direction import Better
from gan.measure.extractors.extractor import Extractor, Features
from gan.measure.gaussian import Gaussian, gaussian

NEEDS = ("images", "features", "logits", "train", "held_out", "discriminator")

Judge = Callable[[Tensor, Tensor | None], Tensor]  # D: uint8 images (N, C, H, W), labels (N,) or None -> logits (N,)


class Sample:
    """Images of one kind, with what an extractor sees in them. Each is computed when it is first asked for.

    Args:
        images: uint8 (N, C, H, W).
        labels: (N,) of real images, or those that fakes were drawn for; None without classes.
        extractor: None if there is none.
        seen: what the extractor gave for these images, if it is known.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        extractor: Extractor | None = None,
        seen: Features | None = None,
    ) -> None:
        self.images, self.labels, self._extractor = images, labels, extractor
        if seen is not None:
            self.seen = seen

    def __len__(self) -> int:
        return len(self.images)

    @property
    def pair(self) -> tuple[Tensor, Tensor | None]:
        """Images and labels."""
        return self.images, self.labels

    @cached_property
    def seen(self) -> Features:
        """What the extractor gives."""
        assert self._extractor is not None, "measures say what they need before they are called"
        return self._extractor(self.images)

    @property
    def features(self) -> Tensor:
        """Features (N, D), float32."""
        return self.seen.features

    @property
    def logits(self) -> Tensor:
        """Logits (N, K), float32."""
        assert self.seen.logits is not None, "measures say what they need before they are called"
        return self.seen.logits

    @cached_property
    def predicted(self) -> Tensor:
        """The most likely classes (N,), int64."""
        return self.logits.argmax(dim=1)

    @cached_property
    def gaussian(self) -> Gaussian:
        """Mean and covariance of the features."""
        return gaussian(self.features)


@dataclass(frozen=True)
class Seen:
    """What a measure may look at. It gets what it `needs`; other parts may be missing."""

    real: Sample  # the images that fakes are compared with
    fake: Sample
    held_out: Sample  # further real images, which choose what a measure has to choose
    noise: Generator  # the measure's own random stream, the same for the same measurement
    train: Sample | None = None  # the images that the generator was trained on
    discriminator: Judge | None = None


@dataclass(frozen=True)
class Measure:
    """A pure function of what it sees, with what a row says of it.

    A choice `evaluation.measures` names a function of keyword-only parameters that returns a Measure: one of
    `MEASURES`, or an importable path.

    Args:
        name: in rows and reports.
        version: to be raised when the formula or the estimator changes.
        needs: what it looks at, of `NEEDS`.
        values: name -> what is better, or None for a value that says neither. The first is its score.
        function: returns the value of each name: a number, NaN where it is undefined. Further plain values may stand
            beside them: lists, such as shares of classes.
    """

    name: str
    version: int
    needs: frozenset[str] | tuple[str, ...]
    values: Mapping[str, Better | None]
    function: Callable[[Seen], Mapping[str, Any]]
    units: Mapping[str, str] = field(default_factory=dict)  # of values that are no plain numbers, such as `nats`

    def __post_init__(self) -> None:
        if unknown := set(self.needs) - set(NEEDS):
            raise ValueError(f"needs {', '.join(sorted(unknown))}; a measure may need {', '.join(NEEDS)}")
        if not self.values:
            raise ValueError("a measure has at least one value")

    @property
    def score(self) -> str:
        """The value by which checkpoints and runs are compared."""
        return next(iter(self.values))
