"""Penalties added to a network's loss: functions of (network, real, fake) that return a scalar, weighted by the recipe.

`real` and `fake` are (N, C, H, W) in the generator's output range; for the generator's penalties `real` is the batch
that its round was trained on.
"""

import torch
from torch import Tensor, nn


def l2(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """½ Σ w² over weight matrices, not biases (tf.contrib.layers.l2_regularizer; 001 builds it and never adds it)."""
    weights = [
        p for name, p in network.named_parameters() if name.endswith(("weight", "weight.original")) and p.dim() > 1
    ]
    return torch.stack([weight.square().sum() for weight in weights]).sum() / 2


PENALTIES = {"l2": l2}
