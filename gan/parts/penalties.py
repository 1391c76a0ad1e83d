"""Penalties: functions of (network, real, fake, labels, noise, step) that return a scalar. The recipe weights it.

- `real` and `fake` are images (N, C, H, W). For D's penalties they are detached and as D sees them. For G's penalties
  they are the batch that the round was trained on and G's own fakes.
- `labels` are (N,) or None.
- `network(images, labels)` returns (N, 1 + K): a logit and the outputs of an auxiliary head. Penalties use the logit
  only.
- All random numbers come from the generator `noise`, on its device.
- `step` is the number of generator updates before this update.

Logits are computed in float32 or better, whatever the autocast is. Differences and squares of gradients would lose
their digits in bfloat16.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

Labels = Tensor | None  # (N,) int64


def l2(network: nn.Module, real: Tensor, fake: Tensor, labels: Labels, noise: Generator, step: int) -> Tensor:
    """The sum ½ Σ w² over weights, without biases, as in tf.contrib.layers.l2_regularizer.

    Text 001 builds this penalty and never adds it to an objective.
    """
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
    """The mean E[(‖∇D(x̂)‖ - target)²] at x̂ = α x + (1 - α) G(z) (WGAN-GP; Gulrajani et al., 2017, eq. 3).

    Each image has its own α ~ U(0, 1). The paper's weight is 10.
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
    """The mean E[(‖∇D(x̂)‖ - 1)²] around the data, at x̂ = x + α · spread · std(x) · u (Kodali et al., 2017).

    The details follow their reference code. Each pixel has its own u ~ U(0, 1), so images only become brighter. Each
    image has its own α ~ U(0, 1). std(x) is taken over the whole batch. The paper's weight is 10. ValueError unless
    spread > 0.
    """
    if not spread > 0:
        raise ValueError(f"spread must be above 0, got {spread}")
    perturbation = spread * real.std(correction=0) * _uniform(tuple(real.shape), noise, real)
    share = _uniform((len(real), 1, 1, 1), noise, real)
    return _distance_from(1.0, _gradients(network, real + share * perturbation, labels))


def r1(network: nn.Module, real: Tensor, fake: Tensor, labels: Labels, noise: Generator, step: int) -> Tensor:
    """R1: ½ E‖∇D(x)‖² on real images (Mescheder et al., 2018, eq. 9). Its weight is their γ."""
    return _gradients(network, real, labels).square().sum(1).mean() / 2


def r2(network: nn.Module, real: Tensor, fake: Tensor, labels: Labels, noise: Generator, step: int) -> Tensor:
    """R2: ½ E‖∇D(G(z))‖² on fakes (Mescheder et al., 2018, eq. 10). Its weight is their γ."""
    return _gradients(network, fake, labels).square().sum(1).mean() / 2


def zero_centred(network: nn.Module, real: Tensor, fake: Tensor, labels: Labels, noise: Generator, step: int) -> Tensor:
    """The sum R1 + R2, as in R3GAN (Huang et al., 2024). It takes two passes, since D may have batch statistics."""
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
    """Balanced consistency: E(D(x) - D(T(x)))² + E(D(G(z)) - D(T(G(z))))² (Zhao et al., 2021), T a random shift.

    T is drawn once for each batch. It shifts by at most `pixels` whole pixels each way, along H and along W. What
    leaves the image on one side enters on the other. Where borders are empty, as MNIST's are, this is background.
    ValueError unless pixels >= 1.
    """
    if pixels < 1:
        raise ValueError(f"pixels must be at least 1, got {pixels}")
    shifts = torch.randint(-pixels, pixels + 1, (2,), generator=noise, device=noise.device).to(real.device)

    def squared_change(images: Tensor) -> Tensor:
        return (_logits(network, images, labels) - _logits(network, _rolled(images, shifts), labels)).square().mean()

    return squared_change(real) + squared_change(fake)


def _logits(network: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor:
    """The logits, which are column 0 of the network's outputs: (N,), in float32 or better."""
    with torch.autocast(images.device.type, enabled=False):
        outputs = network(_unrounded(images), labels)
    return outputs[:, 0] if outputs.ndim > 1 else outputs


def _gradients(network: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor:
    """The gradient ∇D at each image, (N, C * H * W). It is differentiable in the network's parameters."""
    images = _unrounded(images.detach()).requires_grad_()
    with torch.autocast(images.device.type, enabled=False):  # it would hold for the backward pass, too
        (gradients,) = torch.autograd.grad(_logits(network, images, labels).sum(), images, create_graph=True)
    return gradients.flatten(1)


def _unrounded(images: Tensor) -> Tensor:
    """The images in float32 or better. Under autocast G's images may be in bfloat16, and so would be their gradient."""
    return images.to(torch.promote_types(images.dtype, torch.float32))


def _distance_from(target: float, gradients: Tensor) -> Tensor:
    """The mean E[(‖gradient‖ - target)²].

    `vector_norm` has derivative 0 at a gradient of 0, where a square root would have an infinite one.
    """
    return (torch.linalg.vector_norm(gradients, dim=1) - target).square().mean()


def _uniform(shape: tuple[int, ...], noise: Generator, like: Tensor) -> Tensor:
    """Numbers from U(0, 1) in float32, on the device of `like`."""
    return torch.rand(shape, generator=noise, device=noise.device).to(like.device)


def _rolled(images: Tensor, shifts: Tensor) -> Tensor:
    """Images rolled along H and W by `shifts` (2,), like torch.roll.

    torch.roll needs Python numbers, for which the program would have to wait until the device has computed them. Row
    `syncs` of docs/gpu.md counts such waits.
    """
    height, width = images.shape[2:]
    rows = (torch.arange(height, device=images.device) - shifts[0]) % height
    columns = (torch.arange(width, device=images.device) - shifts[1]) % width
    return images.index_select(2, rows).index_select(3, columns)


GENERATOR_PENALTIES: dict[str, Callable[..., Tensor]] = {"l2": l2}  # the other penalties read D's outputs on images
PENALTIES: dict[str, Callable[..., Tensor]] = {
    "l2": l2,
    "gradient_penalty": gradient_penalty,
    "dragan": dragan,
    "r1": r1,
    "r2": r2,
    "zero_centred": zero_centred,
    "consistency": consistency,
}
