"""What `trainer.precision: auto` means on this machine, for one system. It is resolved once and recorded."""

from typing import NamedTuple

import torch

from gan.runs.plan import Plan

FULL, FAST = "32-true", "bf16-mixed"
# Variant, data set and digest of the recipe of what bfloat16 costs nothing, as scripts/precision_equivalence.py shows
SHOWN: dict[tuple[str, str, str], str] = {}


class Precision(NamedTuple):
    """A precision of Lightning's Trainer, and why."""

    name: str
    why: str


def precision_of(whole: Plan, copies: int = 1) -> Precision:
    """Return the precision that a plan gives. For `auto` bfloat16 if it is fast here and costs this system nothing.

    A recipe that differs in a single value from what was shown is another system. GPUs and packed copies have not been
    measured in bfloat16.
    """
    trainer = whole.tree["trainer"]
    given, accelerator = str(trainer.get("precision", FULL)), trainer.get("accelerator", "auto")
    if given != "auto":
        return Precision(given, "as given")
    if copies > 1:
        return Precision(FULL, "auto: copies are packed in it")
    if accelerator == "gpu" or (accelerator == "auto" and torch.cuda.is_available()):
        return Precision(FULL, "auto: not measured on GPUs")
    if not multiplies_bfloat16():
        return Precision(FULL, "auto: this processor is slow in bfloat16")
    system = SHOWN.get((whole.variant.__name__, whole.tree["data"]["name"]["name"], whole.recipe.digest))
    if system is None:
        return Precision(FULL, "auto: bfloat16 was not shown to cost this recipe nothing")
    return Precision(FAST, f"auto: it costs {system} nothing")


def multiplies_bfloat16() -> bool:
    """Return whether the processor has instructions for products in bfloat16: AVX512-BF16 or AMX."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
