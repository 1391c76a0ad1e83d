"""One measurement of one generator under one protocol, the same in training and in `gan evaluate`."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal
from typing import Protocol as Interface

import torch
from torch import Tensor, distributed, nn

from gan.base.choices import Choice
from gan.base.errors import UserError
from gan.base.notes import say
from gan.base.processes import on_every_rank
from gan.base.streams import stream
from gan.data.split import LoadedData, Split, count_shared
from gan.measure.extractors.extractor import Features
from gan.measure.extractors.registry import extractor_of, not_measured
from gan.measure.measure import Judge, Measure, Sample, Seen
from gan.measure.protocol import Protocol
from gan.measure.registry import Chosen, chosen
from gan.measure.shares import alike, in_shares_of, subset
from gan.parts.networks.layers import has_batch_statistics, normalises_by_batch

# Selection looks at held-out training images, the report at test images, and each has its own noise stream. So the luck
# that a checkpoint was chosen for does not enter what is reported of it.
ROLES = {"selection": "held-out", "report": "test"}
DEFAULTS: dict[str, dict[str, Any]] = {"frechet": {}, "classes": {}, "variety": {}}  # where an extractor names classes
WITHOUT_CLASSES: dict[str, dict[str, Any]] = {"frechet": {}}
WITHOUT_EXTRACTOR: dict[str, dict[str, Any]] = {"patches": {}}
MAX_FLOOR_IMAGES = 10_000
NO_FLOOR = {"train", "discriminator"}  # training images in place of the fakes would be their own neighbours


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

    Several processes may measure together: each draws its share of the fakes, and looks at it. Each image's batch is
    that of one process. Only the processes that ask for rows know the real images' statistics.

    Raises UserError for measures that need what there is not.

    Args:
        data: the real images, which name their extractor.
        role: `selection` or `report`.
        num_samples: fakes that each measurement draws.
        device: where the extractor runs.
        trained_on: the images that the generators were trained on, None if these are unknown.
        measures: {name: {parameter: …}}, the first being the score; by default what the extractor allows.
        extractor: another one than that of the data.
        judged: whether there is a discriminator to look at.
        leave_out: whether measures that need what there is not are left out, with a line, instead of refused.
    """

    def __init__(
        self,
        data: LoadedData,
        role: str,
        num_samples: int,
        device: torch.device | str = "cpu",
        *,
        trained_on: Split | None,
        measures: Mapping[str, Any] | None = None,
        extractor: Choice | None = None,
        judged: bool = True,
        leave_out: bool = False,
    ) -> None:
        self.role, self.num_samples, self.data, self.judged = role, num_samples, data, judged
        found = extractor_of(data, extractor)
        self.extractor = found.to(device) if found else None
        self.real_trained_on = role == "selection" and data.held_out_is_trained_on
        self.trained_on = trained_on
        self.real, self.held_out = (
            Sample(part.images, part.labels if part.labels.any() else None, self.extractor)
            for part in (data.held_out if role == "selection" else data.test, data.held_out)
        )
        self.train = Sample(trained_on.images, trained_on.labels, self.extractor) if trained_on else None
        self.measures = []
        for one in chosen(default_measures(self) if measures is None else measures):
            reason = self._missing(one)
            if reason and not leave_out:
                raise UserError(f"evaluation.measures.{one.key}: {reason}")
            if reason:
                say(f"note: not measured: {one.key} ({reason})")
            else:
                self.measures.append(one)
        self._floors: dict[tuple[str, bool], dict[str, float]] = {}
        self._floor_samples: dict[bool, Sample] = {}

    def _missing(self, one: Chosen) -> str | None:
        """Return what a measure needs that there is not, or None."""
        needs = set(one.measure.needs)
        if needs & {"features", "logits"} and self.extractor is None:
            return not_measured(self.data)
        if "logits" in needs and self.extractor is not None and not self.extractor.num_classes:
            return f"extractor {self.extractor.name} names no classes; take another measure"
        if "train" in needs and self.train is None:
            return "it looks at the training images, which are not known here; give the run"
        if "discriminator" in needs and not self.judged:
            return "it looks at the discriminator; give a full checkpoint, or the run"
        return None

    @property
    def split(self) -> str:
        """Which real images these are, in the words of the protocol."""
        return "all" if self.data.split == "all" else ROLES[self.role]

    @cached_property
    def real_in_training(self) -> int:
        """How many of the real images are among those that were trained on. If there are any, a line says so."""
        count = count_shared(self.real.images, self.trained_on.images) if self.trained_on else 0
        if count and not self.real_trained_on:
            say(
                f"warning: {count:,} of the {len(self.real):,} {self.split} images are among the "
                "images that were trained on, pixel for pixel (real_in_training in the row)"
            )
        return count

    def floor(self, one: Chosen, conditional: bool = False) -> dict[str, float]:
        """Return the values of training images in place of the fakes, under `NAME_floor` (docs/metrics.md).

        With `conditional` each class has the share among them that it has among the real images. There is no floor of
        real images without a training part, or where the measure looks at the training images itself.
        """
        key = one.key, conditional
        if key not in self._floors:
            known = self.data.split != "all" and not NO_FLOOR & set(one.measure.needs)
            self._floors[key] = self._floor(one, conditional) if known else {}
        return self._floors[key]

    def _floor(self, one: Chosen, conditional: bool) -> dict[str, float]:
        found = self._values(one.measure, self._floor_sample(conditional), 0, None)
        return {f"{name}_floor": found[name] for name, better in one.measure.values.items() if better is not None}

    def _floor_sample(self, conditional: bool) -> Sample:
        """Return at most 10,000 training images, for all measures the same."""
        if conditional not in self._floor_samples:
            train = self.data.train
            images = train.images
            if conditional and self.real.labels is not None:
                images = images[alike(train.labels, self.real.labels, MAX_FLOOR_IMAGES)]
            self._floor_samples[conditional] = Sample(subset(images, MAX_FLOOR_IMAGES), None, self.extractor)
        return self._floor_samples[conditional]

    def labels(self, sampler: Sampler) -> Tensor | None:
        """What the fakes are drawn for (num_samples,), in the shares of the real images; None without conditions.

        Where the real images have no classes each class is drawn in turn.
        """
        if not sampler.num_classes:
            return None
        if self.real.labels is None:
            return torch.arange(self.num_samples) % sampler.num_classes
        return in_shares_of(self.real.labels, self.num_samples)

    def __call__(self, sampler: Sampler, noise_seed: int = 0) -> list[dict[str, Any]]:
        """Return a row of `metrics.jsonl` for each measure: values and protocol. The first one is the score's."""
        return self.rows(sampler, self.fakes(sampler, noise_seed), noise_seed)

    def fakes(self, sampler: Sampler, noise_seed: int = 0, rank: int = 0, world_size: int = 1) -> Sample:
        """Return all fakes, looked at. Several ranks draw a share each: collective, and where one fails all do."""
        purpose, labels = f"{self.role} noise", self.labels(sampler)

        def share() -> list[Tensor]:
            fakes = sampler.sample(self.num_samples, noise_seed, purpose, labels, share=(rank, world_size))
            shapes = [" x ".join(map(str, images.shape[1:])) for images in (fakes, self.real.images)]
            if len(fakes) and shapes[0] != shapes[1]:
                raise UserError(f"fakes of {shapes[0]}, but the real images are {shapes[1]}; give images of one shape")
            seen = self.extractor(fakes) if self.extractor else ()
            return [fakes, *(part for part in seen if part is not None)]

        if world_size == 1:
            return self._looked_at(share(), labels)
        for buffer in sampler.generator.buffers():  # running statistics are those of the first process
            distributed.broadcast(buffer, 0)
        shares = [[part for part in parts if len(part)] for parts in zip(*on_every_rank(share), strict=True)]
        order = torch.cat([sampler.places(self.num_samples, (r, world_size)) for r in range(world_size)]).argsort()
        return self._looked_at([torch.cat(parts)[order] for parts in shares], labels)

    def _looked_at(self, parts: Sequence[Tensor], labels: Tensor | None) -> Sample:
        images, *seen = parts
        features = Features(seen[0], seen[1] if len(seen) > 1 else None) if seen else None
        return Sample(images, labels, self.extractor, features)

    def rows(
        self,
        sampler: Sampler,
        fake: Sample,
        noise_seed: int = 0,
        measures: Sequence[Chosen] | None = None,
        discriminator: Judge | None = None,
    ) -> list[dict[str, Any]]:
        """Return a row for each measure, by default all. Of a generator with non-finite weights the values are NaN."""
        state = [tensor for tensor in sampler.generator.state_dict().values() if tensor.is_floating_point()]
        finite = all(bool(tensor.isfinite().all()) for tensor in state)
        rows = []
        for one in self.measures if measures is None else measures:
            values = self._values(one.measure, fake, noise_seed, discriminator)
            values |= {} if finite else dict.fromkeys(one.measure.values, math.nan)
            values |= self.floor(one, conditional=fake.labels is not None)
            better = one.measure.values[one.measure.score]
            is_score = one is self.measures[0] and better is not None
            values |= {"score": one.measure.score, "better": better} if is_score else {"score": None}
            protocol = self.protocol(one, sampler, noise_seed)
            rows.append(protocol.row(**values, real_in_training=self.real_in_training, finite=finite))
        return rows

    def _values(self, measure: Measure, fake: Sample, noise_seed: int, discriminator: Judge | None) -> dict[str, Any]:
        noise = stream(f"measure {measure.name}", noise_seed)
        seen = Seen(self.real, fake, self.held_out, noise, self.train, discriminator)
        values = dict(measure.function(seen))
        if missing := measure.values.keys() - values.keys():
            raise UserError(f"measure {measure.name}: announced {', '.join(sorted(missing))}, but did not give it")
        return values

    def protocol(self, one: Chosen, sampler: Sampler, noise_seed: int) -> Protocol:
        """Return how the values of a measure are measured."""
        shares = "none" if not sampler.num_classes else "equal" if self.real.labels is None else "real"
        used = self.extractor if {"features", "logits"} & set(one.measure.needs) else None
        return Protocol(
            metric=one.measure.name,
            metric_version=one.measure.version,
            extractor=used.name if used else "none",
            extractor_version=used.version if used else 0,
            extractor_sha256=used.sha256 if used else "",
            data_set=self.data.name,
            source=self.data.source,
            data_sha256=self.data.sha256,
            split=self.split,  # type: ignore[arg-type]
            real_trained_on=self.real_trained_on,
            num_real=len(self.real),
            num_fake=self.num_samples,
            role=self.role,  # type: ignore[arg-type]
            noise_seed=noise_seed,
            weights=sampler.weights,  # type: ignore[arg-type]
            batch_norm=_batch_norm(sampler.generator),
            label_shares=shares,  # type: ignore[arg-type]
            metric_parameters=dict(one.parameters),
            reference="partly trained on" if self.real_in_training and not self.real_trained_on else "unseen",
        )


def default_measures(measurement: Measurement) -> dict[str, dict[str, Any]]:
    """Return the cheap measures that the extractor allows. Without one the distance of patches is the score."""
    extractor = measurement.extractor
    if extractor is None:
        return WITHOUT_EXTRACTOR
    return DEFAULTS if extractor.num_classes else WITHOUT_CLASSES


def to_json(row: Any, indent: int | None = None) -> str:
    """A row, or a list of rows, as JSON. A number that is not finite becomes null, since JSON has no NaN."""
    return json.dumps(_plain(row), indent=indent, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _batch_norm(network: nn.Module) -> Literal["running", "none", "batch"]:
    """How the generator's batch norm ran, in the words of the protocol."""
    if normalises_by_batch(network):
        return "batch"
    return "running" if has_batch_statistics(network) else "none"
