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
from gan.base.processes import on_every_rank
from gan.data.split import LoadedData
from gan.measure.extractors import evaluator_of, load_classifier, not_measured
from gan.measure.frechet import METRIC, VERSION
from gan.measure.protocol import Protocol
from gan.measure.scorer import ImageScorer, classified
from gan.parts.networks.layers import has_batch_statistics, normalises_by_batch

# Selection looks at held-out training images, the report at test images, and each has its own noise stream. So the luck
# that a checkpoint was chosen for does not enter what is reported of it.
ROLES = {"selection": "held-out", "report": "test"}


class Sampler(Interface):
    """A generator that draws images, such as `gan.engine.sampling.Sampler`: what is measured."""

    generator: nn.Module
    weights: str  # `raw` or `ema`

    def sample(self, num: int, seed: int = 0, purpose: str = "samples", *, share: tuple[int, int]) -> Tensor:
        """uint8 images (num, C, H, W) from the noise stream (purpose, seed), but only those of a share (r, n)."""

    def places(self, num: int, share: tuple[int, int]) -> Tensor:
        """Where these images stand among the `num`."""

    def labels(self, num: int) -> Tensor | None:
        """The class that each image was drawn for, (num or more,); None for an unconditional generator."""


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
    """

    def __init__(self, data: LoadedData, role: str, num_samples: int, device: torch.device | str = "cpu") -> None:
        self.role, self.num_samples, self.data = role, num_samples, data
        evaluator = evaluator_of(data)
        if evaluator is None:
            raise UserError(not_measured(data))
        self.evaluator = evaluator
        self.classifier = load_classifier(evaluator.name).to(device)

    @cached_property
    def scorer(self) -> ImageScorer:
        """What compares with the real images."""
        real = self.data.held_out if self.role == "selection" else self.data.test
        return ImageScorer(self.classifier, real.images, self.data.train.images)

    @property
    def floor(self) -> float:
        """Distance between real training images and the real images of this role: a perfect generator's score."""
        return self.scorer.floor

    def __call__(self, sampler: Sampler, noise_seed: int = 0) -> dict[str, Any]:
        """A row of `metrics.jsonl`: scores and protocol. A generator with non-finite weights gets the `fid` NaN."""
        return self.row(sampler, *self.seen(sampler, noise_seed), noise_seed)

    def seen(self, sampler: Sampler, noise_seed: int = 0, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Features and logits of all fakes. Several ranks draw a share each: collective, and where one fails all do."""

        def share() -> tuple[Tensor, Tensor]:
            purpose = f"{self.role} noise"
            fakes = sampler.sample(self.num_samples, noise_seed, purpose=purpose, share=(rank, world_size))
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
        labels = sampler.labels(self.num_samples)
        labels = None if labels is None else labels[: self.num_samples]
        scores = asdict(self.scorer.scores(features, logits, labels))
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
            real_trained_on=self.role == "selection" and self.data.held_out_is_trained_on,
            num_real=self.scorer.num_real,
            num_fake=self.num_samples,
            role=self.role,  # type: ignore[arg-type]
            noise_seed=noise_seed,
            weights=sampler.weights,  # type: ignore[arg-type]
            batch_norm=_batch_norm(sampler.generator),
        )
        return protocol.row(**scores, fid_floor=self.floor, finite=finite)


def to_json(row: dict[str, Any], indent: int | None = None) -> str:
    """A row as JSON. A number that is not finite becomes null, since JSON has no NaN."""
    plain = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    return json.dumps(plain, indent=indent, allow_nan=False)


def _batch_norm(network: nn.Module) -> Literal["running", "none", "batch"]:
    """How the generator's batch norm ran, in the words of the protocol."""
    if normalises_by_batch(network):
        return "batch"
    return "running" if has_batch_statistics(network) else "none"
