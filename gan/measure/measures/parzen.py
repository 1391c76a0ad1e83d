"""Log-likelihood of test images under a Parzen window of fakes, as Goodfellow et al. (2014), table 1, measured it."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan.measure.measure import Measure, Seen
from gan.measure.measures.distances import pieces

WIDTHS = torch.logspace(-1, 0, 10, dtype=torch.float64)  # of goodfeli/adversarial, parzen_ll.py
VALIDATION = 1000  # images that choose the width


class Likelihood(NamedTuple):
    """Nats an image; larger is better."""

    value: float  # mean over the test images
    error: float  # its standard error
    width: float  # of the window


def parzen_likelihood(validation: Tensor, test: Tensor, fake: Tensor) -> Likelihood:
    """Return the likelihood of test images (N, …) with pixels in [0, 1] under Gaussians around the fakes (M, …).

    The width is the one of ten from 0.1 to 1 that gives the first 1,000 validation images the highest mean. Such
    likelihoods say little of the look of samples (Theis et al., 2016): it is there to compare with the paper.
    """
    by_width = _log_likelihoods(validation[:VALIDATION], fake, WIDTHS).mean(dim=0)
    best = by_width.argmax()
    values = _log_likelihoods(test, fake, WIDTHS[best : best + 1])[:, 0]
    return Likelihood(float(values.mean()), float(values.std() / len(values) ** 0.5), float(WIDTHS[best]))


def _log_likelihoods(images: Tensor, fake: Tensor, widths: Tensor) -> Tensor:
    """Return the log-likelihood (N, W) of each image for each width."""
    dimension = images[0].numel()
    constant = math.log(len(fake)) + dimension * (widths * math.sqrt(2 * math.pi)).log()  # (W,)
    found = []
    for _, distances in pieces(images, fake):
        squares = distances.square()
        found.append(torch.stack([torch.logsumexp(-squares / (2 * width**2), dim=1) for width in widths], dim=1))
    return torch.cat(found) - constant


def parzen() -> Measure:
    """Return `parzen_ll`, the log-likelihood of the real images under windows around the fakes.

    Held-out images choose the width. Where the real images are the held-out ones, these choose it for themselves.
    """

    def measured(seen: Seen) -> dict[str, Any]:
        held_out, real, fake = (part.images.double() / 255 for part in (seen.held_out, seen.real, seen.fake))
        found = parzen_likelihood(held_out, real, fake)
        return {"parzen_ll": found.value, "parzen_error": found.error, "parzen_width": found.width}

    return Measure(
        "parzen",
        1,
        ("images", "held_out"),
        {"parzen_ll": "higher", "parzen_error": None, "parzen_width": None},
        measured,
        units={"parzen_ll": "nats", "parzen_error": "nats"},
    )
