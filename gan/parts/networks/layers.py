"""Parts that the network families share."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from gan.base.choices import Choice, Names, resolve
from gan.base.errors import UserError
from gan.parts.networks.dropout import Dropout
from gan.parts.networks.spectral import SpectralNorm


def leaky_relu(x: Tensor, *, slope: float = 0.2) -> Tensor:
    """The activation max(x, slope x), for 0 <= slope <= 1."""
    return nn.functional.leaky_relu(x, slope)


ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "leaky_relu": leaky_relu,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}

Activation = Annotated[Choice, Names(ACTIVATIONS)]  # the type of a network's argument

MAX_LAYERS = 200  # that one list of sizes makes

# The generator's last activation decides the range that the real images are scaled to.
OUTPUT_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


def activation(choice: str | Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    """The activation of hidden layers that a choice names."""
    function, parameters = resolve(choice, ACTIVATIONS, "activation")
    return partial(function, **parameters) if parameters else function


def output_range(output: str) -> tuple[float, float]:
    """The range of images that a final activation makes. UserError for an activation that has no range."""
    if output not in OUTPUT_RANGES:
        raise UserError(f"generator: output must be one of {', '.join(OUTPUT_RANGES)}, got {output!r}")
    return OUTPUT_RANGES[output]


def check_sizes(sizes: list[int], what: str, at_least: int = 0) -> None:
    """Raise UserError for a layer without units, for fewer layers than a network needs, or for very many."""
    if len(sizes) > MAX_LAYERS:  # a file from elsewhere could ask for any number, and each takes a millisecond
        raise UserError(f"{what} has {len(sizes):,} numbers; allowed: {MAX_LAYERS}")
    if len(sizes) < at_least or any(size < 1 for size in sizes):
        raise UserError(f"{what} must be {at_least} or more whole numbers of at least 1, got {list(sizes)}")


def check_word(word: str, words: Iterable[str], what: str) -> None:
    """Raise UserError if `word` is not one of `words`."""
    if word not in words:
        raise UserError(f"{what} must be one of {', '.join(words)}, got {word!r}")


def smallest_map(image_shape: tuple[int, int, int], halvings: int, who: str) -> tuple[int, int]:
    """Height and width of an image after `halvings` halvings. UserError if they do not divide."""
    _, height, width = image_shape
    if height % 2**halvings or width % 2**halvings:
        raise UserError(
            f"{who}: cannot make {height}×{width} images with {halvings} doublings; "
            f"give fewer channels, or images whose sides divide by {2**halvings}"
        )
    return height // 2**halvings, width // 2**halvings


def constrained(layer: nn.Module, norm: str) -> nn.Module:
    """The layer itself, or with a `SpectralNorm` of its weight if `norm` is `spectral`."""
    if norm == "spectral":
        register_parametrization(layer, "weight", SpectralNorm(layer.weight))  # type: ignore[arg-type]
    return layer


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """All batch norm layers of a network."""
    return [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def has_batch_statistics(network: nn.Module) -> bool:
    """Whether an image's output depends on the other images of its batch. Real and fake then need separate passes.

    This is so with a batch norm, and with any module whose attribute `mixes_batch` is true.
    """
    return bool(batch_norms(network)) or _mixes_batch(network)


def normalises_by_batch(network: nn.Module) -> bool:
    """Whether an image's output depends on the other images of its batch in evaluation mode, too.

    This is so with a batch norm that has no running statistics. It is assumed of any module whose attribute
    `mixes_batch` is true.
    """
    return any(norm.running_mean is None for norm in batch_norms(network)) or _mixes_batch(network)


def _mixes_batch(network: nn.Module) -> bool:
    return any(getattr(module, "mixes_batch", False) for module in network.modules())


def differs_in_inference(network: nn.Module) -> bool:
    """Whether a network computes something else in evaluation mode than in training mode."""
    dropouts = (m for m in network.modules() if isinstance(m, Dropout | nn.modules.dropout._DropoutNd))
    return bool(batch_norms(network)) or any(dropout.p > 0 for dropout in dropouts)


class MinibatchStdDev(nn.Module):
    """Appends one channel that says how much the batch varies (Karras et al., 2018, sec. 3).

    The channel holds one number, the same at every pixel. It is the standard deviation over the batch of each feature
    at each position, averaged over features and positions. It is computed over the whole batch of this process, in
    evaluation mode, too.
    """

    mixes_batch = True

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C + 1, H, W) from maps (N, C, H, W)."""
        values = images.to(torch.promote_types(images.dtype, torch.float32))  # 1e-8 is 0 in float16
        # The variance is the biased one, and 1e-8 is added in the root. So a batch of one image gives 1e-4 instead of
        # NaN, and gradients stay finite.
        deviations = (values.var(dim=0, correction=0) + 1e-8).sqrt()  # (C, H, W)
        plane = deviations.mean().to(images.dtype).expand(images.shape[0], 1, *images.shape[2:])
        return torch.cat([images, plane], dim=1)


def keras_batch_norm(channels: int, momentum: float | None = None, debiased: bool = False) -> nn.BatchNorm2d:
    """Batch norm with Keras' epsilon, 1e-3.

    `momentum` is PyTorch's, which is 1 minus Keras'. With momentum 0 the moving statistics never move. With None there
    are none: inference then normalises by the batch, too, like tf.contrib.layers.batch_norm with is_training=True
    always. With `debiased` the layer is a `DebiasedBatchNorm2d`.
    """
    if debiased and momentum:
        return DebiasedBatchNorm2d(channels, eps=1e-3, momentum=momentum)
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=momentum or 0.0, track_running_stats=momentum is not None)


class DebiasedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose moving statistics forget their initial 0 and 1 at the first update, as in Keras 2 on TensorFlow.

    The `moving_average_update` of Keras 2's backend asks for `zero_debias=True`. The moving average of what was seen is
    then divided by 1 - β^t, as in Adam, with β = 1 - momentum. This equals a moving average whose momentum is
    (1 - β) / (1 - β^t) at update t.
    """

    def __init__(self, channels: int, eps: float, momentum: float) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.final_momentum = momentum

    def reset_running_stats(self) -> None:
        """Forget all statistics."""
        super().reset_running_stats()
        self._updates = 0  # as in the buffer, which may be on a GPU or hold the counts of several copies

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._updates = int(self.num_batches_tracked or 0)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised maps (N, C, H, W)."""
        if self.training and self.num_batches_tracked is not None:
            self._updates += 1
            self.momentum = self.final_momentum / (1 - (1 - self.final_momentum) ** self._updates)
        return super().forward(images)
