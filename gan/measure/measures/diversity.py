"""How much fakes vary within classes and between them, against real images."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan.measure.measure import Measure, Seen


class Diversity(NamedTuple):
    """Variances of the fakes over those of real images; 1 is best, below it fakes vary too little."""

    within: float
    between: float


def diversity(real: Tensor, real_labels: Tensor, fake: Tensor, fake_labels: Tensor) -> Diversity:
    """Return the ratios for features (N, D), (M, D) and labels (N,), (M,): true ones, and predicted ones of fakes.

    The total variance is the trace of the covariance. It is the sum of that within classes, averaged with the classes'
    shares among the real images, and of that of the class means.
    """
    classes = int(real_labels.max()) + 1
    weights = real_labels.cpu().bincount(minlength=classes).double() / len(real_labels)
    (within_a, between_a), (within_b, between_b) = (
        _variances(features.detach().cpu().double(), labels.cpu(), weights)
        for features, labels in ((real, real_labels), (fake, fake_labels))
    )
    return Diversity(within_b / within_a, between_b / between_a)


def _variances(features: Tensor, labels: Tensor, weights: Tensor) -> tuple[float, float]:
    """Return the variances with these weights of the classes; of a class without two features nothing is known."""
    groups = {label: features[labels == label] for label, weight in enumerate(weights.tolist()) if weight > 0}
    known = {label: group for label, group in groups.items() if len(group) > 1}
    if not known:
        return float("nan"), float("nan")
    share = torch.tensor([float(weights[label]) for label in known], dtype=torch.float64)
    share /= share.sum()
    within = torch.stack([group.var(dim=0).sum() for group in known.values()])
    means = torch.stack([group.mean(dim=0) for group in known.values()])
    overall = (share[:, None] * means).sum(dim=0)
    return float((share * within).sum()), float((share * (means - overall).square().sum(dim=1)).sum())


def variety() -> Measure:
    """Return `within` and `between`, the variances of the fakes within and between classes over the real ones'.

    The same classifier names the classes of real images and of fakes.
    """

    def measured(seen: Seen) -> dict[str, Any]:
        found = diversity(seen.real.features, seen.real.predicted, seen.fake.features, seen.fake.predicted)
        return found._asdict()

    return Measure("variety", 1, ("features", "logits"), {"within": 1.0, "between": 1.0}, measured)
