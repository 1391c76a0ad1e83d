"""Which extractor measures a data set: what the set names, or what a configuration asks for."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gan.base.choices import Choice, resolve
from gan.base.errors import UserError, usable
from gan.data.split import LoadedData
from gan.measure.extractors.classifier import EVALUATORS, classifier, shipped, stacked_mnist
from gan.measure.extractors.extractor import Extractor
from gan.measure.extractors.fidelity import dinov2, inception

EXTRACTORS: dict[str, Callable[..., Extractor]] = {
    **{name: partial(shipped, name) for name in EVALUATORS},
    "stacked_mnist": stacked_mnist,
    "classifier": classifier,
    "inception": inception,
    "dinov2": dinov2,
}
KIND = "evaluation.extractor"


def extractor_of(data: LoadedData, choice: Choice | None = None) -> Extractor | None:
    """Return the extractor that a choice names, or that a data set says its images belong to. None for neither.

    The name of the set plays no part in this. Raises UserError for an unknown extractor, and for images of another
    shape or range than it reads.
    """
    named: str | Mapping[str, Any] | None = choice or data.evaluator
    if named is None:
        return None
    where = KIND if choice else f"data set {data.name}: evaluator"
    make, parameters = resolve(named, EXTRACTORS, where)
    with usable(f"{where} {named!r}"):
        extractor = make(**parameters)
    if not isinstance(extractor, Extractor):
        raise UserError(f"{where} {named!r}: gave {type(extractor).__name__}, not an Extractor")
    extractor.refuse(data.test.images, f"data set {data.name}")
    if data.test.images.max() <= 1:
        raise UserError(
            f"data set {data.name}: extractor {extractor.name} reads pixels from 0 to 255, these are from 0 to 1; "
            "multiply them by 255"
        )
    return extractor


def not_measured(data: LoadedData) -> str:
    """Return why no measure of features is there where `extractor_of` gives None, and how to change that."""
    return (
        f"the data set {data.name} names no extractor, so no features are compared; train one with gan evaluator, or "
        "name one with --evaluation.extractor"
    )
