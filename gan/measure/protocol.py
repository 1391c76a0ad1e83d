"""What a metric row says about how it was measured. Rows of different protocols never stand in one column."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

LATER: dict[str, Any] = {"label_shares": "none", "metric_parameters": {}, "reference": "unseen"}  # field -> old meaning


@dataclass(frozen=True)
class Protocol:
    """How a number was measured. Step, run seed and commit belong to the run: they are given to `row`."""

    metric: str  # "frechet"
    metric_version: int
    extractor: str  # its name, version and sha256; "none", 0 and "" for a measure that looks at no features
    extractor_version: int
    extractor_sha256: str
    data_set: str  # "mnist"
    source: str  # "idx", "embedded": another source is other real images
    data_sha256: str  # LoadedData.sha256: other files, or other pixels, are other real images
    split: Literal["held-out", "test", "train", "all"]  # which real images
    real_trained_on: bool  # did the generator's training see these real images, too?
    num_real: int
    num_fake: int
    role: Literal["selection", "report"]  # chooses checkpoints, or stands in a table
    noise_seed: int  # of the evaluation's own noise stream
    weights: Literal["raw", "ema", "given"] = "raw"  # of the generator; "given": the images came from files
    batch_norm: Literal["running", "none", "batch"] = "none"  # how the generator's batch norm ran, if it has any
    precision: str = "float32"  # of the generator in evaluation; features are always float32, statistics float64
    rounding: Literal["8-bit", "none"] = "8-bit"  # of the fakes; real images are 8-bit
    # Classes that a conditional generator drew: in the shares that the real images have. Rows that lack the field and
    # are of such a generator are older, and each class has as many fakes in them. "equal": the real images have no
    # classes, and the fakes are of each class in turn.
    label_shares: Literal["none", "real", "equal"] = "none"
    metric_parameters: Mapping[str, Any] = field(default_factory=dict)  # of a measure that has any
    # Were some of the real images trained on, though the split says otherwise? Then a number is too good.
    reference: Literal["unseen", "partly trained on"] = "unseen"

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for name, value in asdict(self).items():
            choices = get_args(hints[name]) if get_origin(hints[name]) is Literal else ()
            if choices and value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")

    @property
    def protocol_id(self) -> str:
        """12 hex digits. Rows may share a column if these are equal, and only then.

        All fields enter but two. The noise seed does not: another one only repeats the measurement. Of `batch_norm` it
        enters whether a fake depended on its batch. With running statistics it does not, as without batch norm. Newer
        fields enter where they have another value than `LATER`, so that ids are what they were before there were these.
        """
        fields = asdict(self)
        del fields["noise_seed"]
        for name, before in LATER.items():
            if fields[name] == before:
                del fields[name]
        fields["batch_norm"] = "batch" if self.batch_norm == "batch" else "per image"
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]

    def row(self, **values: Any) -> dict[str, Any]:
        """A flat row for `metrics.jsonl`: the values (`step=…, seed=…, commit=…, fid=…`), then the protocol."""
        row = {"protocol": self.protocol_id, **asdict(self)}
        taken = row.keys() & values.keys()
        if taken:
            raise ValueError(f"the protocol itself says {', '.join(sorted(taken))}")
        return {**values, **row}
