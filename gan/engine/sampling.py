"""Drawing images from a trained generator, the same for callbacks, commands and notebooks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from gan.base.errors import UserError
from gan.base.images import to_uint8
from gan.base.streams import stream
from gan.engine.players import Player
from gan.engine.recipe import Recipe
from gan.parts.networks.layers import normalises_by_batch
from gan.parts.priors import interpolate

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

    Args:
        num_classes: of the labels that the generator reads; 0 where it reads none.
        weights: whose the generator's are, `raw` or `ema`.
        further: modules that the variant adds to the generator, by name, such as an encoder.
    """

    def __init__(
        self,
        generator: nn.Module,
        prior: Callable[[tuple[int, int], Generator], Tensor],
        latent_dim: int,
        batch_size: int,
        num_classes: int = 0,
        weights: str = "raw",
        further: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.prior = prior
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.weights = weights
        self.further = nn.ModuleDict(further or {})
        self.output_range: tuple[float, float] = generator.output_range  # type: ignore[assignment]
        # Where an image depends on its batch, it is drawn in whole batches of the training's size.
        self.by_batch = normalises_by_batch(generator)
        self.block = batch_size if self.by_batch else BLOCK

    @classmethod
    def of(
        cls, player: Player, prior: Callable[..., Tensor], recipe: Recipe, num_classes: int, weights: str | None
    ) -> "Sampler":
        """The generator of a game: its averaged (`ema`) weights where there are, or those asked for; shared.

        UserError for averaged weights that there are not.
        """
        weights = weights or ("ema" if player.averages else "raw")
        modules = dict(player.modules if weights == "raw" else player.averages)
        if not modules:
            raise UserError("weights: ema needs a recipe with an ema_decay; take raw")
        generator = modules.pop("generator")
        return cls(generator, prior, recipe.latent_dim, recipe.batch_size, num_classes, weights, modules)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent (N, latent_dim) -> images (N, C, H, W) in `output_range`."""
        return self.generator(latent, labels)

    def sample(self, num: int, seed: int = 0, purpose: str = "samples", label: int | None = None) -> Tensor:
        """uint8 images (num, C, H, W) from the noise stream (purpose, seed), drawn in evaluation mode.

        A conditional generator draws image i of class `label`, or of class i mod `num_classes`: a grid of as many
        columns has a class in each. Neither weights, modes nor training streams change, and image i is the same however
        many are asked for.
        """
        noise = stream(purpose, seed)
        return self._images(num, lambda: self.prior((self.block, self.latent_dim), noise), label)

    def interpolate(self, rows: int, columns: int = 10, seed: int = 0, label: int | None = None) -> Tensor:
        """uint8 images (rows * columns, C, H, W): in each row a walk from one latent to another, by the prior's rule.

        With a conditional generator row i is of class `label`, or of class i mod `num_classes`.
        """
        start, end = self.prior((2 * rows, self.latent_dim), stream("interpolation", seed)).split(rows)
        steps = [interpolate(self.prior, start, end, column / max(1, columns - 1)) for column in range(columns)]
        latents = torch.stack(steps, dim=1).flatten(0, 1)  # (rows * columns, latent_dim)
        # The last block's rest comes from the prior: batch statistics are those of latents like the others.
        rest = self.prior((self.block, self.latent_dim), stream("interpolation, rest", seed))
        blocks = iter(torch.cat([latents, rest[: -len(latents) % self.block]]).split(self.block))
        if label is None and self.num_classes:
            classes = torch.arange(rows).remainder(self.num_classes).repeat_interleave(columns)
            return self._images(len(latents), lambda: next(blocks), classes)
        return self._images(len(latents), lambda: next(blocks), label)

    def _images(self, num: int, draw: Callable[[], Tensor], label: int | Tensor | None) -> Tensor:
        """uint8 images of latents that come in blocks of (block, latent_dim), the last of them cut."""
        labels = self.labels(num, label)
        device = next(self.generator.parameters()).device
        blocks = []
        with evaluating(self.generator):
            for start in range(0, num, self.block):
                latent = draw()
                latent = latent if self.by_batch else latent[: num - start]
                given = None if labels is None else labels[start : start + len(latent)].to(device)
                blocks.append(to_uint8(self(latent.to(device), given)[: num - start], self.output_range).cpu())
        return torch.cat(blocks)

    def labels(self, num: int, label: int | Tensor | None = None) -> Tensor | None:
        """One for each image and, where they are drawn in whole batches, for what is cut off; None for none."""
        if not self.num_classes:
            if label is not None:
                raise UserError("label: the generator reads no labels, so it cannot draw one class alone")
            return None
        if isinstance(label, int) and not 0 <= label < self.num_classes:
            raise UserError(f"label must be a class from 0 to {self.num_classes - 1}, got {label}")
        whole = num + -num % self.block
        if isinstance(label, Tensor):
            return torch.cat([label, label.new_zeros(whole - num)])
        return torch.arange(whole).remainder(self.num_classes) if label is None else torch.full((whole,), label)
