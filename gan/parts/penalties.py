"""Penalties: functions of (network, real, fake, labels, noise, step) that return a scalar, weighted by the recipe.

For D's penalties `real` and `fake` are (N, C, H, W) as it sees them, detached; for the generator's they are the batch
that its round was trained on, and its own fakes. `labels` are (N,) or None. `network(images, labels)` gives (N, 1 + K):
a logit, which alone is looked at, and the outputs of an auxiliary head. Random numbers come from `noise`, on its
device, and from nowhere else. `step` is the number of generator updates before this update. Logits are computed in
float32 at least, whatever the autocast: differences and squares of gradients lose their digits in bfloat16.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

Labels = Tensor | None  # (N,) int64


def l2(network: nn.Module, real: Tensor, fake: Tensor, labels: Labels, noise: Generator, step: int) -> Tensor:
    """½ Σ w² over weight matrices, not biases (tf.contrib.layers.l2_regularizer; 001 builds it and never adds it)."""
    weights = [
        p for name, p in network.named_parameters() if name.endswith(("weight", "weight.original")) and p.dim() > 1
    ]
    return torch.stack([weight.square().sum() for weight in weights]).sum() / 2


def gradient_penalty(
    network: nn.Module,
    real: Tensor,
    fake: Tensor,
    labels: Tensor | None,
    noise: Generator,
    step: int,
    *,
    target: float = 1.0,
) -> Tensor:
    """E[(‖∇D(x̂)‖ - target)²] at x̂ = α x + (1 - α) G(z), α ~ U(0, 1) an image (WGAN-GP; Gulrajani et al., 2017, eq. 3).

    The paper's weight is 10.
    """
    share = _uniform((len(real), 1, 1, 1), noise, real)
    return _distance_from(target, _gradients(network, share * real + (1 - share) * fake, labels))


def dragan(
    network: nn.Module,
    real: Tensor,
    fake: Tensor,
    labels: Tensor | None,
    noise: Generator,
    step: int,
    *,
    spread: float = 0.5,
) -> Tensor:
    """E[(‖∇D(x̂)‖ - 1)²] around the data: x̂ = x + α · spread · std(x) · u (Kodali et al., 2017).

    As their reference code: u ~ U(0, 1) a pixel, so images only become brighter; α ~ U(0, 1) an image; std over the
    whole batch. The paper's weight is 10. ValueError unless spread > 0.
    """
    if not spread > 0:
        raise ValueError(f"spread must be above 0, got {spread}")
    perturbation = spread * real.std(correction=0) * _uniform(tuple(real.shape), noise, real)
    share = _uniform((len(real), 1, 1, 1), noise, real)
    return _distance_from(1.0, _gradients(network, real + share * perturbation, labels))


def r1(network: nn.Module, real: Tensor, fake: Tensor, labels: Labels, noise: Generator, step: int) -> Tensor:
    """½ E‖∇D(x)‖² (Mescheder et al., 2018, eq. 9); the weight is their γ."""
    return _gradients(network, real, labels).square().sum(1).mean() / 2


def r2(network: nn.Module, real: Tensor, fake: Tensor, labels: Labels, noise: Generator, step: int) -> Tensor:
    """½ E‖∇D(G(z))‖² (Mescheder et al., 2018, eq. 10); the weight is their γ."""
    return _gradients(network, fake, labels).square().sum(1).mean() / 2


def zero_centred(network: nn.Module, real: Tensor, fake: Tensor, labels: Labels, noise: Generator, step: int) -> Tensor:
    """R1 + R2, as R3GAN has them (Huang et al., 2024); in two passes, since D may have batch statistics."""
    return r1(network, real, fake, labels, noise, step) + r2(network, real, fake, labels, noise, step)


def consistency(
    network: nn.Module,
    real: Tensor,
    fake: Tensor,
    labels: Tensor | None,
    noise: Generator,
    step: int,
    *,
    pixels: int = 2,
) -> Tensor:
    """E(D(x) - D(T(x)))² + E(D(G(z)) - D(T(G(z))))² (balanced consistency; Zhao et al., 2021), T a random shift.

    T is drawn once a batch: up to `pixels` whole pixels each way, in both directions. What leaves on one side comes in
    on the other, which is nothing but background where borders are empty, as MNIST's are. ValueError unless
    pixels >= 1.
    """
    if pixels < 1:
        raise ValueError(f"pixels must be at least 1, got {pixels}")
    shifts = torch.randint(-pixels, pixels + 1, (2,), generator=noise, device=noise.device).to(real.device)

    def squared_change(images: Tensor) -> Tensor:
        return (_logits(network, images, labels) - _logits(network, _rolled(images, shifts), labels)).square().mean()

    return squared_change(real) + squared_change(fake)


def _logits(network: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor:
    """Column 0 of the network's outputs, (N,), in float32 at least."""
    with torch.autocast(images.device.type, enabled=False):
        outputs = network(_unrounded(images), labels)
    return outputs[:, 0] if outputs.ndim > 1 else outputs


def _gradients(network: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor:
    """∇D at each image, (N, C * H * W), differentiable in the network's parameters."""
    images = _unrounded(images.detach()).requires_grad_()
    with torch.autocast(images.device.type, enabled=False):  # a derivative too is computed in its operation's type
        (gradients,) = torch.autograd.grad(_logits(network, images, labels).sum(), images, create_graph=True)
    return gradients.flatten(1)


def _unrounded(images: Tensor) -> Tensor:
    """In float32 at least: under autocast G's images may be in bfloat16, and so would be the gradient at them."""
    return images.to(torch.promote_types(images.dtype, torch.float32))


def _distance_from(target: float, gradients: Tensor) -> Tensor:
    """E[(‖gradient‖ - target)²]; the derivative of `vector_norm` at 0 is 0, where that of a square root is infinite."""
    return (torch.linalg.vector_norm(gradients, dim=1) - target).square().mean()


def _uniform(shape: tuple[int, ...], noise: Generator, like: Tensor) -> Tensor:
    """U(0, 1) in float32, on the images' device."""
    return torch.rand(shape, generator=noise, device=noise.device).to(like.device)


def _rolled(images: Tensor, shifts: Tensor) -> Tensor:
    """torch.roll along H and W by shifts (2,), without waiting for the device to tell them."""
    height, width = images.shape[2:]
    rows = (torch.arange(height, device=images.device) - shifts[0]) % height
    columns = (torch.arange(width, device=images.device) - shifts[1]) % width
    return images.index_select(2, rows).index_select(3, columns)


GENERATOR_PENALTIES: dict[str, Callable[..., Tensor]] = {"l2": l2}  # the others are of D's outputs on images
PENALTIES: dict[str, Callable[..., Tensor]] = {
    "l2": l2,
    "gradient_penalty": gradient_penalty,
    "dragan": dragan,
    "r1": r1,
    "r2": r2,
    "zero_centred": zero_centred,
    "consistency": consistency,
}
