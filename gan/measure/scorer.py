"""Score generated images against real ones: Fréchet distance, class shares, confidence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gan.measure.extractors import ImageClassifier
from gan.measure.frechet import Gaussian, frechet_distance, gaussian

BATCH = 250  # the fastest of 100 ... 5,000 on two cores: its activations stay in the cache
MAX_FLOOR_IMAGES = 10_000
UNSURE = 0.9  # real test digits are below it in 1 % of cases


@dataclass(frozen=True)
class Scores:
    """The scores of one set of fakes. `dataclasses.asdict` gives the values of a row."""

    fid: float  # Fréchet distance in the classifier's features: not comparable with Inception's
    class_share: list[float]  # per predicted class; sums to 1
    min_class_share: float
    median_confidence: float  # over images, of the largest softmax probability
    unsure_share: float  # of images whose largest softmax probability is below 0.9: smudges
    num_fake: int
    label_agreement: float | None = None  # share of conditional samples that the classifier puts into their class


class ImageScorer:
    """Scores fakes against real images, whose Gaussian is computed once.

    `floor` is the distance between real training images (`floor_images`, at most 10,000 of them) and the real images.
    Nothing is drawn from a global random stream. The classifier is in no module tree here.
    """

    def __init__(self, classifier: ImageClassifier, real: Tensor, floor_images: Tensor) -> None:
        self.classifier = classifier
        self.real = self.statistics(real)
        self.num_real = len(real)
        self.floor_images = floor_images

    @cached_property
    def floor(self) -> float:
        """Distance of the floor images."""
        return self.distance(subset(self.floor_images, MAX_FLOOR_IMAGES))

    def distance(self, images: Tensor) -> float:
        """Fréchet distance of uint8 images (N, 1, 28, 28) from the real ones."""
        return frechet_distance(self.statistics(images), self.real)

    def score(self, fakes: Tensor, labels: Tensor | None = None) -> Scores:
        """Scores of uint8 fakes (N, 1, 28, 28), N >= 2, from any device; `labels` (N,): what they were meant to be."""
        return self.scores(*classified(self.classifier, fakes), labels)

    def scores(self, features: Tensor, logits: Tensor, labels: Tensor | None = None) -> Scores:
        """Scores of fakes that the classifier has seen: features (N, 128) and logits (N, 10)."""
        predicted = logits.argmax(dim=1)
        classes = predicted.bincount(minlength=logits.shape[1])
        confidence = logits.softmax(dim=1).amax(dim=1)
        share = (classes.double() / len(logits)).tolist()
        return Scores(
            fid=frechet_distance(gaussian(features), self.real),
            class_share=share,
            min_class_share=min(share),
            median_confidence=float(confidence.median()),
            unsure_share=float((confidence < UNSURE).double().mean()),
            num_fake=len(logits),
            label_agreement=None if labels is None else float((predicted == labels).double().mean()),
        )

    def statistics(self, images: Tensor) -> Gaussian:
        """The Gaussian of the images' features."""
        return gaussian(classified(self.classifier, images)[0])


def classified(classifier: ImageClassifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, 128) and logits (N, 10) of the images, on the CPU. There may be no image."""
    device = next(classifier.parameters()).device
    seen = [classifier(batch.to(device)) for batch in images.split(BATCH)] if len(images) else []
    features, logits = zip(*seen, strict=True) if seen else ((torch.empty(0, 128),), (torch.empty(0, 10),))
    return torch.cat(features).cpu(), torch.cat(logits).cpu()


def subset(images: Tensor, count: int) -> Tensor:
    """At most `count` of the images, the same random ones each time.

    Every n-th image would not do. MNIST's training images alternate between two groups of writers: every sixth one is
    of one group.
    """
    if len(images) <= count:
        return images
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]
    return images[chosen.to(images.device)]
