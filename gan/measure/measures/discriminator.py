"""Is a discriminator calibrated, and does it know its training images?"""

from typing import Any, NamedTuple

import torch
from scipy.stats import mannwhitneyu
from torch import Tensor

from gan.measure.measure import Measure, Seen
from gan.measure.shares import subset

BINS = 10


class Diagnostics(NamedTuple):
    """What D's logits say on images that it was not trained on, and on those that it was."""

    calibration_error: (
        float  # 0 is best: mean of |probability - share of real images|, over ten bins (Guo et al., 2017)
    )
    brier: float  # mean squared error of the probability; 0.25 where D cannot tell real from fake and knows it
    gap: float  # mean logit of training images less that of held-out ones; above 0 D overfits
    remembers: float  # probability that a training image has the larger logit of a pair; 0.5 is best
    p: float  # two-sided, that it is 0.5 (Mann-Whitney)


def diagnostics(train: Tensor, held_out: Tensor, fake: Tensor) -> Diagnostics:
    """Return the diagnostics of logits (N,) of training images, (H,) of held-out ones and (M,) of fresh fakes.

    Calibration weighs held-out images and fakes alike, as the loss does.
    """
    train, held_out, fake = (logits.detach().cpu().double().flatten() for logits in (train, held_out, fake))
    probability = torch.cat([held_out, fake]).sigmoid()
    is_real = torch.cat([torch.ones_like(held_out), torch.zeros_like(fake)])
    weight = torch.cat([torch.full_like(held_out, 0.5 / len(held_out)), torch.full_like(fake, 0.5 / len(fake))])
    bins = (probability * BINS).long().clamp(max=BINS - 1)
    error = sum(
        abs(float((weight[bins == number] * (probability - is_real)[bins == number]).sum())) for number in range(BINS)
    )
    test = mannwhitneyu(train.numpy(), held_out.numpy())
    return Diagnostics(
        calibration_error=error,
        brier=float((weight * (probability - is_real).square()).sum()),
        gap=float(train.mean() - held_out.mean()),
        remembers=float(test.statistic) / (len(train) * len(held_out)),
        p=float(test.pvalue),
    )


def discriminator() -> Measure:
    """Return how far D is calibrated on unseen real images and fresh fakes, and whether it knows its training images.

    Of the training images as many are taken as there are real ones.
    """

    def measured(seen: Seen) -> dict[str, Any]:
        assert seen.discriminator is not None, "the measure needs it"
        assert seen.train is not None, "the measure needs them"
        images, classes = seen.train.pair
        count = len(seen.real)
        train = subset(images, count), None if classes is None else subset(classes, count)
        pairs = train, seen.real.pair, seen.fake.pair
        found = diagnostics(*(seen.discriminator(images, labels) for images, labels in pairs))
        return {
            "d_calibration_error": found.calibration_error,
            "d_brier": found.brier,
            "d_gap": found.gap,
            "d_remembers": found.remembers,
            "d_remembers_p": found.p,
        }

    values = {"d_calibration_error": "lower", "d_brier": 0.25, "d_gap": 0.0, "d_remembers": 0.5, "d_remembers_p": None}
    return Measure("discriminator", 1, ("images", "train", "discriminator"), values, measured)  # type: ignore[arg-type]
