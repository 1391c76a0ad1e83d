"""What a classifier says of the fakes: are they sure digits, of all kinds, in the right shares?"""

from dataclasses import dataclass
from typing import Any

import torch
from scipy.stats import chi2_contingency, fisher_exact
from torch import Tensor

from gan.measure.measure import Measure, Seen

LEVEL = 0.05


@dataclass(frozen=True)
class Histogram:
    """Shares of the predicted classes, beside those of real images."""

    shares: list[float]
    kl: float  # nats, of the fakes' shares from the real ones
    total_variation: float  # half the sum of the differences, 0 to 1
    p: float  # of the chi-square test that both were drawn from the same shares
    missing: list[int]  # classes without a fake
    rare: list[int]  # classes with significantly fewer fakes than real images (Holm, 5 %), missing ones too


def histogram(real: Tensor, fake: Tensor, classes: int) -> Histogram:
    """Return what the labels of real images (N,) and the predicted ones of fakes (M,) say; 0 <= label < `classes`.

    KL adds half a count to each class of both, so that it is finite. The test is that of homogeneity of two samples. A
    class is rare if it has fewer fakes than its share of real images, by Fisher's exact test of each class against all
    others, one-sided.
    """
    counts = torch.stack([labels.cpu().bincount(minlength=classes) for labels in (real, fake)]).double()  # (2, C)
    shares = counts / counts.sum(dim=1, keepdim=True)
    smooth = (counts + 0.5) / (counts + 0.5).sum(dim=1, keepdim=True)
    there = counts.sum(dim=0) > 0
    p = float(chi2_contingency(counts[:, there].numpy(), correction=False).pvalue) if there.sum() > 1 else 1.0
    totals = counts.sum(dim=1)
    one_sided = {
        label: float(fisher_exact([[f, totals[1] - f], [r, totals[0] - r]], alternative="less").pvalue)
        for label, (r, f) in enumerate(counts.T.tolist())
        if r > 0
    }
    return Histogram(
        shares=shares[1].tolist(),
        kl=float((smooth[1] * (smooth[1] / smooth[0]).log()).sum()),
        total_variation=float((shares[1] - shares[0]).abs().sum() / 2),
        p=p,
        missing=[label for label in range(classes) if counts[0, label] > 0 and counts[1, label] == 0],
        rare=sorted(_below(one_sided, LEVEL)),
    )


def _below(p: dict[int, float], level: float) -> list[int]:
    """Return the keys whose p is significant among all (Holm, 1979)."""
    found = []
    for rank, (key, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        if value * (len(p) - rank) > level:
            break
        found.append(key)
    return found


def classifier_score(logits: Tensor) -> float:
    """Return exp of the mean KL from each fake's class probabilities to their mean: 1 to C, larger is better.

    The Inception score (Salimans et al., 2016, sec. 4) with the classifier of this data set, of logits (M, C), in one
    part, not the mean over ten.
    """
    logarithms = logits.double().log_softmax(dim=1)
    probabilities = logarithms.exp()
    marginal = probabilities.mean(dim=0)
    return float(torch.special.entr(marginal).sum().sub(torch.special.entr(probabilities).sum(dim=1).mean()).exp())


def classes() -> Measure:
    """Return how the classes of the fakes are shared out: `class_kl`, `class_tv`, `class_p`, and which are rare.

    The same classifier names the classes of real images and of fakes.
    """

    def measured(seen: Seen) -> dict[str, Any]:
        found = histogram(seen.real.predicted, seen.fake.predicted, seen.fake.logits.shape[1])
        return {
            "class_kl": found.kl,
            "class_tv": found.total_variation,
            "class_p": found.p,
            "missing_classes": found.missing,
            "rare_classes": found.rare,
        }

    return Measure(
        "classes",
        1,
        ("logits",),
        {"class_kl": "lower", "class_tv": "lower", "class_p": None},
        measured,
        units={"class_kl": "nats"},
    )


def confidence() -> Measure:
    """Return `classifier_score`: the fakes are sure digits, and of all kinds."""

    def measured(seen: Seen) -> dict[str, Any]:
        return {"classifier_score": classifier_score(seen.fake.logits)}

    return Measure("confidence", 1, ("logits",), {"classifier_score": "higher"}, measured)
