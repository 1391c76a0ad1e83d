"""Parts of a set: random ones, or with classes in given shares. They are the same each time."""

import torch
from torch import Tensor

from gan.base.streams import stream


def in_shares_of(labels: Tensor, num: int) -> Tensor:
    """`num` labels (num,) whose classes have the shares that they have in `labels` (N,), mixed, the same each time.

    A class has its share of `num` rounded down or up; the largest remainders are rounded up.
    """
    counts = _apportioned(labels.bincount(), num)
    every = torch.arange(len(counts)).repeat_interleave(counts)
    return every[torch.randperm(num, generator=stream("classes of fakes"))]


def alike(labels: Tensor, others: Tensor, most: int) -> Tensor:
    """Indices (M,) of random ones of `labels` (N,), the same each time, with the class shares of `others`, M <= `most`.

    M is as large as the rarest class allows. Classes that are not among `labels` are left out.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    classes = max(int(labels.max()), int(others.max())) + 1
    there, wanted = labels.bincount(minlength=classes), others.bincount(minlength=classes)
    wanted = wanted * (there > 0)
    if not wanted.any():  # no class is shared
        return order[:most]
    enough = int((there * wanted.sum() // wanted.clamp(min=1))[wanted > 0].min())
    counts = _apportioned(wanted, min(most, enough))
    chosen = [order[labels[order] == label][:count] for label, count in enumerate(counts.tolist())]
    return torch.cat(chosen)


def subset(images: Tensor, count: int) -> Tensor:
    """At most `count` of the images, the same random ones each time.

    Every n-th image would not do. MNIST's training images alternate between two groups of writers: every sixth one is
    of one group.
    """
    if len(images) <= count:
        return images
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]
    return images[chosen.to(images.device)]


def _apportioned(weights: Tensor, num: int) -> Tensor:
    """Whole numbers (K,) that add up to `num`, in the proportions of whole `weights` (K,)."""
    counts, remainders = num * weights // weights.sum(), num * weights % weights.sum()
    counts[remainders.argsort(descending=True, stable=True)[: num - int(counts.sum())]] += 1
    return counts
