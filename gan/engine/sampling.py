"""Draws images from a trained generator, in the same way for callbacks, commands and notebooks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from gan.base.errors import UserError
from gan.base.errors import whole as whole_number
from gan.base.images import to_uint8
from gan.base.streams import stream
from gan.engine.building import build_networks, reads_labels
from gan.engine.players import Player
from gan.engine.recipe import Recipe
from gan.parts.networks.layers import normalises_by_batch
from gan.parts.priors import interpolate

# Latents are drawn in blocks of this size, and the last block is cut. So sample i does not depend on how many are asked
# for.
BLOCK = 500


@contextmanager
def in_inference(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Put these modules, but not their children, in evaluation mode. At the exit each has its own mode again."""
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
    """Put a network in evaluation mode, without gradients and in full precision. At the exit all is as before."""
    device = next(network.parameters()).device.type
    with in_inference(network.modules()), torch.no_grad(), torch.autocast(device, enabled=False):
        yield


class Sampler(nn.Module):
    """A generator with its prior. `sampler.sample(64)` draws images.

    `sampler(latent)` maps latents (N, latent_dim) to images (N, C, H, W) in `output_range`.

    Args:
        generator: the network.
        prior: draws latents.
        latent_dim: numbers in a latent.
        batch_size: of training, for a generator that normalises by its batch.
        num_classes: number of classes that the generator reads; 0 if it reads no labels.
        weights: which weights the generator has, `raw` or `ema`.
        further: modules that the variant adds to the generator, such as an encoder, by name.
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
        # Where an image depends on its batch, images are drawn in whole batches of the size that training has.
        self.by_batch = normalises_by_batch(generator)
        self.block = batch_size if self.by_batch else BLOCK

    @classmethod
    def of(
        cls, player: Player, prior: Callable[..., Tensor], recipe: Recipe, num_classes: int, weights: str | None
    ) -> "Sampler":
        """Return a sampler that shares the generator's weights: `raw` or `ema`, by default `ema` if they exist.

        UserError if `ema` is asked for and the recipe keeps no average.
        """
        weights = weights or ("ema" if player.averages else "raw")
        modules = dict(player.modules if weights == "raw" else player.averages)
        if not modules:
            raise UserError("weights: ema needs a recipe with an ema_decay; take raw")
        generator = modules.pop("generator")
        return cls(generator, prior, recipe.latent_dim, recipe.batch_size, num_classes, weights, modules)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images (N, C, H, W) in `output_range` from latents (N, latent_dim)."""
        return self.generator(latent, labels)

    def sample(
        self,
        num: int,
        seed: int = 0,
        purpose: str = "samples",
        label: int | Tensor | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> Tensor:
        """Return uint8 images (num, C, H, W), drawn in evaluation mode from the noise stream (purpose, seed).

        A conditional generator draws image i of class `label`, or of `label[i]`, or by default of class i mod
        `num_classes`. A grid of `num_classes` columns then has one class in each column. Weights, modes and training
        streams do not change. Image i does not depend on how many images are asked for. With `share` (r, n) only every
        n-th block of them is returned, from block r on: the part of rank r of n. Its images are at the places
        `places(num, share)`.
        """
        noise = stream(purpose, seed)
        return self._images(num, lambda: self.prior((self.block, self.latent_dim), noise), label, share)

    def places(self, num: int, share: tuple[int, int]) -> Tensor:
        """Return the places, among `num` images, of those that `sample` gives for a share."""
        return torch.cat([torch.arange(0), *torch.arange(num).split(self.block)[share[0] :: share[1]]])

    def interpolate(self, rows: int, columns: int = 10, seed: int = 0, label: int | None = None) -> Tensor:
        """Return uint8 images (rows * columns, C, H, W). Each row walks from one latent to another by the prior's rule.

        With a conditional generator row i shows class `label`, or by default class i mod `num_classes`.
        """
        whole_number(rows, "rows", least=1)
        whole_number(columns, "columns", least=1)
        start, end = self.prior((2 * rows, self.latent_dim), stream("interpolation", seed)).split(rows)
        steps = [interpolate(self.prior, start, end, column / max(1, columns - 1)) for column in range(columns)]
        latents = torch.stack(steps, dim=1).flatten(0, 1)  # (rows * columns, latent_dim)
        # Latents from the prior fill the last block, so that its batch statistics are like those of the others.
        rest = self.prior((self.block, self.latent_dim), stream("interpolation, rest", seed))
        blocks = iter(torch.cat([latents, rest[: -len(latents) % self.block]]).split(self.block))
        if label is None and self.num_classes:
            classes = torch.arange(rows).remainder(self.num_classes).repeat_interleave(columns)
            return self._images(len(latents), lambda: next(blocks), classes)
        return self._images(len(latents), lambda: next(blocks), label)

    def _images(
        self, num: int, draw: Callable[[], Tensor], label: int | Tensor | None, share: tuple[int, int] = (0, 1)
    ) -> Tensor:
        """Return a share of `num` uint8 images. `draw` gives latents in blocks (block, latent_dim); the last is cut."""
        whole_number(num, "num", least=1)
        labels = self.labels(num, label)
        device = next(self.generator.parameters()).device
        blocks = []
        with evaluating(self.generator):
            for number, start in enumerate(range(0, num, self.block)):
                latent = draw()  # also for blocks of other shares, so that the noise is that of the place
                if number % share[1] != share[0]:
                    continue
                latent = latent if self.by_batch else latent[: num - start]
                given = None if labels is None else labels[start : start + len(latent)].to(device)
                blocks.append(to_uint8(self(latent.to(device), given)[: num - start], self.output_range).cpu())
        return torch.cat(blocks) if blocks else torch.empty(0, dtype=torch.uint8)

    def labels(self, num: int, label: int | Tensor | None = None) -> Tensor | None:
        """Return labels for whole blocks of images, so for some more than `num`; None if the generator reads none."""
        if not self.num_classes:
            if label is not None:
                raise UserError("label: the generator reads no labels, so it cannot draw one class alone")
            return None
        if isinstance(label, int) and not 0 <= label < self.num_classes:
            raise UserError(f"label must be a class from 0 to {self.num_classes - 1}, got {label}")
        whole = num + -num % self.block
        if isinstance(label, Tensor):
            return label[torch.arange(whole) % num]
        return torch.arange(whole).remainder(self.num_classes) if label is None else torch.full((whole,), label)


def untrained(recipe: Recipe, image_shape: tuple[int, int, int], num_classes: int, weights: str | None) -> Sampler:
    """Return the sampler of a recipe, as `AdversarialModule.sampler` does for a variant that adds no modules.

    Lightning is not needed.
    """
    generator, _ = build_networks(recipe, image_shape, num_classes)
    player = Player("generator", generator, recipe, averaged=recipe.averages)
    classes = num_classes if reads_labels(generator) else 0
    return Sampler.of(player, recipe.resolve("prior"), recipe, classes, weights)
