"""A measure: a function of keyword-only parameters that makes a `gan.measure.measure.Measure`."""

from torch import Tensor
from torch.nn.functional import pdist

from gan.measure.measure import Measure, Seen


def spread(*, images: int = 200) -> Measure:
    """`spread`: mean distance of two fakes, over that of two real images; 0 where G has collapsed, 1 is best.

    ValueError unless images >= 2: of so many of either kind all pairs are taken.
    """
    if images < 2:
        raise ValueError(f"images must be at least 2, got {images}")

    def measured(seen: Seen) -> dict[str, float]:
        real, fake = (part.images[:images] for part in (seen.real, seen.fake))
        return {"spread": mean_distance(fake) / mean_distance(real)}

    return Measure("spread", version=1, needs=("images",), values={"spread": 1.0}, function=measured)


def mean_distance(images: Tensor) -> float:
    """Mean Euclidean distance of two of the images, uint8 (N, C, H, W), in units of 1/255."""
    return float(pdist(images.flatten(1).float()).mean())
