"""One measurement of one generator under one protocol, the same in training and in `gan evaluate`."""

import json
import math
from dataclasses import asdict
from functools import cached_property
from typing import Any, Literal
from typing import Protocol as Interface

import torch
from torch import Tensor, distributed, nn

from gan.base.errors import UserError
from gan.base.notes import say
from gan.base.processes import on_every_rank
from gan.data.split import LoadedData, Split, count_shared
from gan.measure.extractors import evaluator_of, load_classifier, not_measured
from gan.measure.frechet import METRIC, VERSION
from gan.measure.protocol import Protocol
from gan.measure.scorer import MAX_FLOOR_IMAGES, ImageScorer, classified
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

    def sample(
        self,
        num: int,
        seed: int = 0,
        purpose: str = "samples",
        label: int | Tensor | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> Tensor:
        """uint8 images (num, C, H, W) of the noise (purpose, seed) and classes `label`, but only those of a share."""

    def places(self, num: int, share: tuple[int, int]) -> Tensor:
        """Where the images of a share (r, n) stand among the `num`."""


class Measurement:
    """Scores generators against the real images of one role. The statistics of these are computed once.

    Several processes may measure together: each draws and classifies its share of the fakes. Each image's batch is that
    of one process. Only the processes that ask for scores know the real images' statistics.

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
        self.real_trained_on = role == "selection" and data.held_out_is_trained_on
        self.trained_on = trained_on or data.train

    @cached_property
    def scorer(self) -> ImageScorer:
        """What compares with the real images."""
        return ImageScorer(self.classifier, self.real.images, self.data.train.images)

    @cached_property
    def real_in_training(self) -> int:
        """How many of the real images are among those that were trained on. If there are any, a line says so."""
        count = count_shared(self.real.images, self.trained_on.images)
        if count and not self.real_trained_on:
            say(
                f"warning: {count:,} of the {len(self.real):,} {ROLES[self.role]} images are among the "
                "images that were trained on, pixel for pixel (real_in_training in the row)"
            )
        return count

    @property
    def floor(self) -> float:
        """Distance between real training images and the real images of this role (docs/metrics.md)."""
        return self.scorer.floor

    @cached_property
    def floor_by_class(self) -> float:
        """The same for training images of which each class has the share that it has among the real images."""
        train = self.data.train
        return self.scorer.distance(train.images[alike(train.labels, self.real.labels, MAX_FLOOR_IMAGES)])

    def labels(self, sampler: Sampler) -> Tensor | None:
        """What the fakes are drawn for (num_samples,), in the shares of the real images; None without conditions."""
        return in_shares_of(self.real.labels, self.num_samples) if sampler.num_classes else None

    def __call__(self, sampler: Sampler, noise_seed: int = 0) -> dict[str, Any]:
        """A row of `metrics.jsonl`: scores and protocol. A generator with non-finite weights gets the `fid` NaN."""
        return self.row(sampler, *self.seen(sampler, noise_seed), noise_seed)

    def seen(self, sampler: Sampler, noise_seed: int = 0, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Features and logits of all fakes. Several ranks draw a share each: collective, and where one fails all do."""

        def share() -> tuple[Tensor, Tensor]:
            purpose = f"{self.role} noise"
            labels = self.labels(sampler)
            fakes = sampler.sample(self.num_samples, noise_seed, purpose, labels, share=(rank, world_size))
            return classified(self.classifier, fakes)

        if world_size == 1:
            return share()
        for buffer in sampler.generator.buffers():  # running statistics are those of the first process
            distributed.broadcast(buffer, 0)
        shares = [torch.cat(parts) for parts in zip(*on_every_rank(share), strict=True)]
        order = torch.cat([sampler.places(self.num_samples, (r, world_size)) for r in range(world_size)]).argsort()
        features, logits = (whole[order] for whole in shares)
        return features, logits

    def row(self, sampler: Sampler, features: Tensor, logits: Tensor, noise_seed: int = 0) -> dict[str, Any]:
        """A row of `metrics.jsonl`, from what `seen` gives."""
        state = [tensor for tensor in sampler.generator.state_dict().values() if tensor.is_floating_point()]
        finite = all(bool(tensor.isfinite().all()) for tensor in state)
        scores = asdict(self.scorer.scores(features, logits, labels := self.labels(sampler)))
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
