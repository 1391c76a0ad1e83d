"""Reads trained discriminators from full checkpoints. No file is trusted."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

import torch

from gan.base.errors import UserError
from gan.engine.judging import judge_of
from gan.measure.measure import Judge
from gan.runs.checkpoint import built_from, part_of, read_recorded
from gan.variants import variant_class


def judge_in(path: Path, allow_import: Collection[str]) -> Judge | None:
    """Return the logits of the discriminator in a full checkpoint, which is read at the first call. None for others."""
    if path.suffix == ".safetensors":
        return None

    @cache
    def judge() -> Judge:
        recorded = read_recorded(path)
        arguments = recorded.variant, recorded.hyper_parameters, recorded.format, allow_import, str(path)
        recipe, shape, classes = built_from(*arguments)
        with torch.random.fork_rng(devices=[]):
            module = variant_class(recorded.variant, f"{path}: variant")(recipe, shape, classes)
        try:
            module.discriminator.load_state_dict(part_of(recorded.state, "discriminator."))
        except (RuntimeError, AttributeError, TypeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
            raise UserError(f"{path}: D's weights do not fit its recipe ({reason})") from None
        return judge_of(module)

    return lambda images, labels: judge()(images, labels)
