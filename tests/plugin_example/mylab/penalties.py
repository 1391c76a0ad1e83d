"""A penalty: a function of (network, real, fake, labels, noise, step, *, …) that returns a scalar."""

import torch
from torch import Generator, Tensor, nn


def one_sided(
    network: nn.Module,
    real: Tensor,
    fake: Tensor,
    labels: Tensor | None,
    noise: Generator,
    step: int,
    *,
    bound: float = 1.0,
) -> Tensor:
    """E[max(0, ‖∇D(x̂)‖ - bound)²] at x̂ = α x + (1 - α) G(z), α ~ U(0, 1) an image (WGAN-LP; Petzka et al., 2018)."""
    share = torch.rand((len(real), 1, 1, 1), generator=noise, device=noise.device).to(real.device)
    between = (share * real + (1 - share) * fake).requires_grad_()
    with torch.autocast(real.device.type, enabled=False):  # bfloat16 would lose the gradient's digits
        logits = network(between, labels)[:, 0]
        (gradients,) = torch.autograd.grad(logits.sum(), between, create_graph=True)
    return (torch.linalg.vector_norm(gradients.flatten(1), dim=1) - bound).relu().square().mean()
