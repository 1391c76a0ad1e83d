"""Maxout discriminator of the first GAN (Goodfellow et al., 2014; code: goodfeli/adversarial, mnist.yaml)."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from gan.parts.networks.layers import check_sizes


class MaxoutDiscriminator(nn.Module):
    """Images (N, C, H, W) -> maxout layers with dropout -> logits (N, outputs).

    A maxout unit is the largest of `pieces` linear functions of its input (Goodfellow et al., 2013, eq. 1). The first
    GAN's discriminator on MNIST has two layers of 240 units with 5 pieces each. Its dropout keeps 0.8 of the pixels and
    0.5 of each hidden layer's units, and scales what it keeps by 1.25 and 2.

    Args:
        widths: numbers of units of the hidden layers.
        pieces: number of linear functions of each unit.
        input_dropout: probability of dropping a pixel.
        dropout: probability of dropping a hidden unit.
        outputs: number of outputs of the last layer. The first is the logit; the others belong to an auxiliary head.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        widths: list[int],
        pieces: int = 5,
        input_dropout: float = 0.2,
        dropout: float = 0.5,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        check_sizes(widths, "discriminator: widths", at_least=1)
        check_sizes([pieces], "discriminator: pieces", at_least=1)
        self.pieces = pieces
        self.input_dropout = nn.Dropout(input_dropout)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(nn.Linear(m, n * pieces) for m, n in pairwise([prod(image_shape), *widths]))
        self.judge = nn.Linear(widths[-1], outputs)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, outputs) of images (N, C, H, W)."""
        hidden = self.input_dropout(images.flatten(1))  # (N, C, H, W) -> (N, C*H*W)
        for layer in self.layers:
            pieces = layer(hidden).unflatten(1, (self.pieces, -1))  # (N, pieces, width)
            hidden = self.dropout(pieces.amax(dim=1))
        return self.judge(hidden)
