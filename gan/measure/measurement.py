"""One measurement of one generator under one protocol, the same in training and in `gan evaluate`."""

import json
import math
from dataclasses import asdict
from functools import cached_property
from typing import Any, Literal
from typing import Protocol as Interface

import torch
from torch import Tensor, nn

from gan.base.errors import UserError
from gan.base.notes import say
from gan.data.split import LoadedData, Split, count_shared
from gan.measure.extractors import evaluator_of, load_classifier, not_measured
from gan.measure.frechet import METRIC, VERSION
from gan.measure.protocol import Protocol
from gan.measure.scorer import MAX_FLOOR_IMAGES, ImageScorer
from gan.measure.shares import alike, in_shares_of
from gan.parts.networks.layers import has_batch_statistics, normalises_by_batch

# Selection looks at held-out training images, the report at test images, and each has its own noise stream. So the luck
# that a checkpoint was chosen for does not enter what is reported of it.
ROLES = {"selection": "held-out", "report": "test"}


class Sampler(Interface):
    """A generator that draws images, such as `gan.engine.sampling.Sampler`: what is measured."""

    generator: nn.Module
    weights: str  # `raw` or `ema`

    num_classes: int  # that the generator reads; 0 for an unconditional one

    def sample(self, num: int, seed: int = 0, purpose: str = "samples", label: int | Tensor | None = None) -> Tensor:
        """uint8 images (num, C, H, W) from the noise stream (purpose, seed), of the classes `label` (num,)."""


class Measurement:
    """Scores generators against the real images of one role. The statistics of these are computed once.

    Raises UserError for data that name no evaluator.

    Args:
        data: the data set of the run, which names the classifier of its images.
        role: `selection` or `report`.
        num_samples: fakes that each measurement draws.
        device: where the classifier runs.
        trained_on: the images that the generators were trained on, by default those of `data`.
    """

    def __init__(
        self,
        data: LoadedData,
        role: str,
        num_samples: int,
        device: torch.device | str = "cpu",
        trained_on: Split | None = None,
    ) -> None:
        self.role, self.num_samples, self.data = role, num_samples, data
        evaluator = evaluator_of(data)
        if evaluator is None:
            raise UserError(not_measured(data))
        self.evaluator = evaluator
        self.classifier = load_classifier(evaluator.name).to(device)
        self.real = data.held_out if role == "selection" else data.test
        self.scorer = ImageScorer(self.classifier, self.real.images, data.train.images)
        self.real_trained_on = role == "selection" and data.held_out_is_trained_on
        self.real_in_training = count_shared(self.real.images, (trained_on or data.train).images)
        if self.real_in_training and not self.real_trained_on:
            say(
                f"warning: {self.real_in_training:,} of the {len(self.real):,} {ROLES[role]} images are among the "
                "images that were trained on, pixel for pixel (real_in_training in the row)"
            )

    @property
    def floor(self) -> float:
        """Distance between real training images and the real images of this role (docs/metrics.md)."""
        return self.scorer.floor

    @cached_property
    def floor_by_class(self) -> float:
        """The same for training images of which each class has the share that it has among the real images."""
        train = self.data.train
        return self.scorer.distance(train.images[alike(train.labels, self.real.labels, MAX_FLOOR_IMAGES)])

    def __call__(self, sampler: Sampler, noise_seed: int = 0) -> dict[str, Any]:
        """A row of `metrics.jsonl`: scores and protocol. A generator with non-finite weights gets the `fid` NaN."""
        state = [tensor for tensor in sampler.generator.state_dict().values() if tensor.is_floating_point()]
        finite = all(bool(tensor.isfinite().all()) for tensor in state)
        labels = in_shares_of(self.real.labels, self.num_samples) if sampler.num_classes else None
        fakes = sampler.sample(self.num_samples, noise_seed, purpose=f"{self.role} noise", label=labels)
        scores = asdict(self.scorer.score(fakes, labels))
        del scores["num_fake"]
        if not finite:
            scores["fid"] = math.nan
        protocol = Protocol(
            metric=METRIC,
            metric_version=VERSION,
            extractor=self.evaluator.name,
            extractor_version=self.evaluator.version,
            extractor_sha256=self.evaluator.sha256,
            data_set=self.data.name,
            source=self.data.source,
            data_sha256=self.data.sha256,
            split=ROLES[self.role],  # type: ignore[arg-type]
            real_trained_on=self.real_trained_on,
            num_real=self.scorer.num_real,
            num_fake=self.num_samples,
            role=self.role,  # type: ignore[arg-type]
            noise_seed=noise_seed,
            weights=sampler.weights,  # type: ignore[arg-type]
            batch_norm=_batch_norm(sampler.generator),
            label_shares="none" if labels is None else "real",
        )
        floor = self.floor if labels is None else self.floor_by_class
        return protocol.row(**scores, fid_floor=floor, real_in_training=self.real_in_training, finite=finite)


def to_json(row: dict[str, Any], indent: int | None = None) -> str:
    """A row as JSON. A number that is not finite becomes null, since JSON has no NaN."""
    plain = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    return json.dumps(plain, indent=indent, allow_nan=False)


def _batch_norm(network: nn.Module) -> Literal["running", "none", "batch"]:
    """How the generator's batch norm ran, in the words of the protocol."""
    if normalises_by_batch(network):
        return "batch"
    return "running" if has_batch_statistics(network) else "none"
