"""Modes: which classes were generated at all, such as the 1,000 of stacked MNIST."""

import math
from typing import Any, NamedTuple

from torch import Tensor
from torch.special import entr

from gan.measure.measure import Measure, Seen


class Modes(NamedTuple):
    """What was generated of K modes that are equally likely."""

    number: int  # modes with a fake at least
    kl: float  # nats, of the fakes' modes from the uniform distribution: 0 to log K


def modes_of(classes: Tensor, every: int) -> Modes:
    """Return the modes of fakes whose classes (M,) were recognised, of `every` that there are.

    As in Metz et al. (2017), Srivastava et al. (2017) and Lin et al. (2018), sec. 4.1, for stacked MNIST: the classes
    are 1,000 triples of digits, 26,000 fakes are drawn, and a mode counts if it is hit once.
    """
    shares = classes.cpu().bincount(minlength=every).double() / len(classes)
    return Modes(int((shares > 0).sum()), math.log(every) - float(entr(shares).sum()))


def modes() -> Measure:
    """Return `modes`, the number of classes with a fake at least, and `modes_kl`, their KL from the uniform."""

    def measured(seen: Seen) -> dict[str, Any]:
        found = modes_of(seen.fake.predicted, seen.fake.logits.shape[1])
        return {"modes": found.number, "modes_kl": found.kl}

    values = {"modes": "higher", "modes_kl": "lower"}
    return Measure("modes", 1, ("logits",), values, measured, units={"modes_kl": "nats"})  # type: ignore[arg-type]
