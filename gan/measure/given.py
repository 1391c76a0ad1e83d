"""Images that are there already, measured as those of a generator are."""

import torch
from torch import Tensor, nn


class Given:
    """Stands for a generator that draws these images, uint8 (N, C, H, W), in their order, for any noise."""

    weights = "given"
    num_classes = 0

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self.generator: nn.Module = nn.Identity()

    def sample(
        self,
        num: int,
        seed: int = 0,
        purpose: str = "samples",
        label: int | Tensor | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> Tensor:
        """Return the first `num` images, of a share (r, n) every n-th, from the r-th on."""
        return self.images[:num][share[0] :: share[1]]

    def places(self, num: int, share: tuple[int, int]) -> Tensor:
        """Return the places of a share among the `num`."""
        return torch.arange(min(num, len(self.images)))[share[0] :: share[1]]
