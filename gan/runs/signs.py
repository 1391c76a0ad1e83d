"""Signs that a training fails. Each is a function of what one check of the watchdog found.

A sign returns in words what it saw, an empty text if it saw nothing, and None where it cannot tell. docs/running.md has
the runs that the bounds were set by.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

# D is sure of a kind of images if its mean probability is this close to 0 or 1. D may be sure for thousands of steps in
# a run that learns, so this is no sign by itself.
SURE = 0.01
# G's gradient has vanished at this share of its level, or of 1. Runs that worked had norms above 5 while D was sure.
VANISHED = 0.05
# Fakes are nearly one image if they vary less than this share of real images. Two images in equal shares vary half as
# much. Runs that made a few shapes had 0.13 once and more at all other times, runs that made one image 0.09 or less.
ONE_IMAGE = 0.1
# Until this step, and within this share of the run's steps, G may not have become diverse yet: GoodfellowGAN makes one
# image until step 500 or so, MLPGAN for thousands of its 100,000 steps.
YOUNG_STEPS, YOUNG = 1000, 0.1
# At the ends of its range tanh and sigmoid pass no gradient. G is dead if less than this share of the pixels that real
# images have between the ends are there, and less than this share of all pixels changed since the check before. Runs
# that worked had at least as many pixels between the ends as real images.
BETWEEN, CHANGED = 0.5, 0.2
# Losses under which sigmoid D(x) is the probability that x is real.
PROBABILITIES = ("non_saturating", "non_saturating_clipped", "minimax", "fakes_labelled_real")


@dataclass(frozen=True)
class Found:
    """What a check found."""

    fakes: Tensor  # uint8 (N, C, H, W), of the same noise at each check
    before: Tensor | None = None  # those of the check before, if there was one in this process
    real: Tensor | None = None  # uint8 (M, C, H, W), if there are real images at hand
    young: bool = False  # G was never diverse, and the run is at its start
    scalars: Mapping[str, float] = field(default_factory=dict)  # written since the check before
    level: float = 1.0  # the usual norm of G's gradient while D was not sure
    loss: str = ""  # the loss's name
    lost: str = ""  # which weights are not finite


def nan(found: Found) -> str | None:
    """Return which losses or weights are not finite. No update makes a weight finite again."""
    losses = [tag for tag, value in found.scalars.items() if tag.startswith("loss/") and not math.isfinite(value)]
    seen = [found.lost] if found.lost else [f"{tag} is {found.scalars[tag]}" for tag in losses]
    return ", ".join(seen)


def saturated(found: Found) -> str | None:
    """Return how sure D is, if it is sure of both kinds of images while G's gradient has vanished.

    It need not be right: a D that calls everything real teaches G as little. Losses without probabilities have no such
    sign.
    """
    told = {tag: found.scalars.get(tag, math.nan) for tag in ("probability/real", "probability/fake")}
    norm = found.scalars.get("gradient_norm/generator", math.nan)
    if found.lost or found.loss not in PROBABILITIES or not all(map(math.isfinite, (norm, *told.values()))):
        return None
    if not sure(found.scalars) or norm >= VANISHED * max(1.0, found.level):
        return ""
    real, fake = told.values()
    return f"D is sure (real {real:.3f}, fake {fake:.3f}), and G's gradient has a norm of {norm:.1g}"


def collapsed(found: Found) -> str | None:
    """Return how little the fakes vary, if they are nearly one image for all noise."""
    if found.lost or found.real is None or found.young:
        return None
    share = variance(found.fakes) / max(variance(found.real), 1e-12)
    return f"fakes of different noise vary {share:.1%} as much as real images" if share < ONE_IMAGE else ""


def dead(found: Found) -> str | None:
    """Return how many pixels live, if G's pixels are at the ends of their range, and stay there."""
    if found.lost or found.real is None or found.before is None:
        return None
    living, changed = between(found.fakes), float((found.fakes != found.before).float().mean())
    if living >= BETWEEN * between(found.real) or changed >= CHANGED:
        return ""
    usual = f"(real images: {1 - between(found.real):.1%})"
    return f"{1 - living:.1%} of G's pixels are at the ends of their range {usual}, and {changed:.1%} changed"


SIGNS: dict[str, Callable[[Found], str | None]] = {
    "nan": nan,
    "saturated": saturated,
    "collapsed": collapsed,
    "dead": dead,
}
ADVICE = {
    "nan": "the run has diverged; lower the learning rates",
    "saturated": "G learns nothing from this D; try another loss, R1, or a lower rate of D",
    "collapsed": "G ignores its noise; try R1, or a lower rate or less momentum of both",
    "dead": "little gradient passes G's output; try smaller initial weights or a lower rate of G",
}


def sure(scalars: Mapping[str, float]) -> bool:
    """Return whether D is sure of both kinds of images."""
    told = [scalars.get(f"probability/{kind}", math.nan) for kind in ("real", "fake")]
    return all(min(value, 1 - value) < SURE for value in told)


def variance(images: Tensor) -> float:
    """Return the sum over all pixels of their variance over images (N, C, H, W), uint8, as numbers from 0 to 1.

    It is half of the mean squared distance between two of the images.
    """
    return float((images.float() / 255).var(dim=0).sum()) if len(images) > 1 else 0.0


def between(images: Tensor) -> float:
    """Return the share of pixels of uint8 images that are neither 0 nor 255."""
    return float(((images > 0) & (images < 255)).float().mean())


@torch.no_grad()
def not_finite(module: nn.Module) -> str:
    """Return which tensors of weights are not finite, in words; an empty text if all are. It waits for the device."""
    weights = {name: tensor for name, tensor in module.state_dict().items() if tensor.is_floating_point()}
    if bool(torch.stack([tensor.isfinite().all() for tensor in weights.values()]).all()):
        return ""
    lost = [name for name, tensor in weights.items() if not bool(tensor.isfinite().all())]
    return f"{len(lost)} of {len(weights)} tensors of weights are not finite, {lost[0]} is the first"
