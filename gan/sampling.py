"""Drawing images from a trained generator, the same for callbacks, commands and notebooks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from gan.images import to_uint8
from gan.streams import stream

# Latents are drawn in blocks of this size and the last one is cut, so that sample i does not depend on how many are
# asked for.
BLOCK = 500


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, full precision and no gradients inside; each module's own mode again after it."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    device = next(network.parameters()).device.type
    try:
        with torch.no_grad(), torch.autocast(device, enabled=False):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


class Sampler(nn.Module):
    """A generator and its prior.

    `sampler(latent)` maps (N, latent_dim) to images (N, C, H, W) in `output_range`; `sampler.sample(64)` draws them.
    """

    def __init__(
        self, generator: nn.Module, prior: Callable[[tuple[int, int], Generator], Tensor], latent_dim: int
    ) -> None:
        super().__init__()
        self.generator = generator
        self.prior = prior
        self.latent_dim = latent_dim
        self.output_range: tuple[float, float] = generator.output_range  # type: ignore[assignment]

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent (N, latent_dim) -> images (N, C, H, W) in `output_range`."""
        return self.generator(latent, labels)

    def latents(self, num: int, seed: int, purpose: str = "samples") -> Iterator[Tensor]:
        """Blocks of `num` latents in all from the stream (purpose, seed), on the generator's device."""
        noise = stream(purpose, seed)
        device = next(self.generator.parameters()).device
        for start in range(0, num, BLOCK):
            yield self.prior((BLOCK, self.latent_dim), noise)[: num - start].to(device)

    def sample(self, num: int, seed: int = 0, purpose: str = "samples") -> Tensor:
        """uint8 images (num, C, H, W), drawn in evaluation mode; neither weights, modes nor training streams change."""
        with evaluating(self.generator):
            blocks = [to_uint8(self(latent), self.output_range).cpu() for latent in self.latents(num, seed, purpose)]
        return torch.cat(blocks)
