"""Drawing images from a trained generator, the same for callbacks, commands and notebooks."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from gan.images import to_uint8
from gan.networks.layers import normalises_by_batch
from gan.streams import stream

# Latents are drawn in blocks of this size and the last one is cut, so that sample i does not depend on how many are
# asked for.
BLOCK = 500


@contextmanager
def in_inference(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Just these modules (not what is in them) in evaluation mode inside; each in its own again after it."""
    modes = [(module, module.training) for module in modules]
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, full precision and no gradients inside; each module's own mode again after it."""
    device = next(network.parameters()).device.type
    with in_inference(network.modules()), torch.no_grad(), torch.autocast(device, enabled=False):
        yield


class Sampler(nn.Module):
    """A generator and its prior.

    `sampler(latent)` maps (N, latent_dim) to images (N, C, H, W) in `output_range`; `sampler.sample(64)` draws them.
    """

    def __init__(
        self,
        generator: nn.Module,
        prior: Callable[[tuple[int, int], Generator], Tensor],
        latent_dim: int,
        batch_size: int,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.prior = prior
        self.latent_dim = latent_dim
        self.output_range: tuple[float, float] = generator.output_range  # type: ignore[assignment]
        # Where an image depends on its batch, it is drawn in whole batches of the training's size.
        self.by_batch = normalises_by_batch(generator)
        self.block = batch_size if self.by_batch else BLOCK

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent (N, latent_dim) -> images (N, C, H, W) in `output_range`."""
        return self.generator(latent, labels)

    def sample(self, num: int, seed: int = 0, purpose: str = "samples") -> Tensor:
        """uint8 images (num, C, H, W) from the noise stream (purpose, seed), drawn in evaluation mode.

        Neither weights, modes nor training streams change, and image i is the same however many are asked for.
        """
        noise = stream(purpose, seed)
        device = next(self.generator.parameters()).device
        blocks = []
        with evaluating(self.generator):
            for start in range(0, num, self.block):
                latent = self.prior((self.block, self.latent_dim), noise)
                latent = latent if self.by_batch else latent[: num - start]
                blocks.append(to_uint8(self(latent.to(device))[: num - start], self.output_range).cpu())
        return torch.cat(blocks)
