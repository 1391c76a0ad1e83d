"""Dropout whose masks come from a generator that the game hands in, so that processes and runs have masks of their own.

On a CPU a mask costs a small part of what torch's costs: torch draws 64 random bits an element, one after the other.
"""

import math

import torch
from torch import Generator, Tensor, nn

from gan.base.stacks import drawn

LEVELS = 256  # of a random byte


def drop_mask(shape: tuple[int, ...], p: float, device: torch.device, generator: Generator | None) -> Tensor:
    """A boolean mask of this shape that is True with probability p, for every p that a float64 holds.

    It is drawn where the generator is. On a CPU each element costs a random byte. A byte below floor(256 p) drops; one
    that equals it, 1 in 256, drops with the probability that is left, 256 p - floor(256 p), by a further random number.
    """
    home = device if generator is None else generator.device
    if home.type != "cpu":
        return torch.empty(shape, device=home).bernoulli_(p, generator=generator).bool().to(device)
    count = math.prod(shape)
    words = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    draws = words.view(torch.uint8)[:count]
    level = math.floor(LEVELS * p)
    rest = LEVELS * p - level
    dropped = draws < level
    if rest:
        ties = (draws == level).nonzero().squeeze(1)
        dropped[ties] = torch.rand(len(ties), dtype=torch.float64, generator=generator) < rest
    return dropped.view(shape).to(device)


class Dropout(nn.Module):
    """In training each element is 0 with probability p, or else divided by 1 - p (Srivastava et al., 2014).

    Args:
        p: in [0, 1]; ValueError outside.
        channels: whole channels of (N, C, H, W) are dropped, not elements.
    """

    mask_stream: Generator | None = None  # the game hands it in; None for the global random state

    def __init__(self, p: float, channels: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout must be a probability from 0 to 1, got {p}")
        self.p, self.channels = p, channels

    def forward(self, images: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        if not self.training or self.p == 0:
            return images
        if self.p == 1:
            return images * 0
        shape = (*images.shape[:2], *[1] * (images.ndim - 2)) if self.channels else tuple(images.shape)
        kept = ~drawn(lambda generator: drop_mask(shape, self.p, images.device, generator), self.mask_stream)
        return images * kept.to(images.dtype).div_(1 - self.p)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"p={self.p}, channels={self.channels}"
