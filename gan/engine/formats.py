"""Formats of recorded recipes. A recorded recipe means what it meant on its day, whatever the defaults are now.

Format 2 holds every value (`Recipe.to_dict`). Format 1, which has no number in its files, holds what was given: the
defaults of its day are in `format_1.json`, by registry and name.
"""

from collections.abc import Mapping
from typing import Any

from gan.base.choices import without_nulls
from gan.base.errors import UserError

FORMAT = 2  # of config.yaml, checkpoints and snapshots


def recorded_format(values: Mapping[str, Any], where: str) -> int:
    """The format that a file says it has; 1 where it says none. UserError for one that this version does not know."""
    number = values.get("format", 1)
    if number not in range(1, FORMAT + 1):
        raise UserError(f"{where}: has format {number!r}; this version of gan reads 1 to {FORMAT}: update gan")
    return number


def completed_recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe of format 1 with the defaults of its day."""
    return without_nulls(values)


def upgraded_state(state: Mapping[str, Any], global_step: int) -> dict[str, Any]:
    """A checkpoint's adversarial state in today's format."""
    if recorded_format(state, "checkpoint") == FORMAT:
        return dict(state)
    return {
        "format": FORMAT,
        "variant": state["variant"],
        "run_seed": state["run_seed"],
        "images_seen": state["images_seen"],
        "updates": {"generator": global_step, "discriminator": state["discriminator_updates"]},
        "round": {"position": state["turn"], "one_sided": state["one_sided"], "latent": state["latent"]},
        "streams": {"noise": state["noise"]},
        "random": state["random"],
    }
