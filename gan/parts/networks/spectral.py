"""Spectral norm (Miyato et al., 2018), for one network and for a stack of copies."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class SpectralNorm(nn.Module):
    """A weight divided by its largest singular value, by one step of power iteration a pass (Miyato et al., 2018).

    It computes what PyTorch's `spectral_norm` computes, bit for bit, with operations that a stack of copies has, too.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.flatten(1)
        u, v = (normalize(matrix.new_empty(size).normal_(), dim=0) for size in matrix.shape)
        self.register_buffer("_u", u)
        self.register_buffer("_v", v)
        for _ in range(15):
            self._iterate(matrix)

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        self._u.copy_(normalize(torch.mv(matrix, self._v), dim=0))
        self._v.copy_(normalize(torch.mv(matrix.T, self._u), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        """The divided weight, of the same shape."""
        matrix = weight.flatten(1)
        if self.training:
            self._iterate(matrix)
        u, v = self._u.clone(), self._v.clone()  # a later pass moves them, before the gradients of this one are taken
        return weight / torch.dot(u, torch.mv(matrix, v))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What is kept of a weight that is set: all of it."""
        return weight
