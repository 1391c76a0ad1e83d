"""Small real runs for tests: tiny networks, real digits, a bare Lightning trainer."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from mylab.ada import ADA
from mylab.bigan import BiGAN
from torch import Tensor
from torch.optim import Optimizer

from gan.data.sources import mnist
from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe
from gan.variants import VARIANTS

# The laws hold for those of a plugin, too, which override hooks that no variant of the package overrides.
EVERY: dict[str, type[AdversarialModule]] = {**VARIANTS, "ADA": ADA, "BiGAN": BiGAN}

# One of each family of networks and of each rule of the step: what all variants obey once is varied over these.
COVERING = (
    *("BiGAN", "ConditionalGAN", "DCGAN", "FullResolutionDCGAN"),
    *("GoodfellowGAN", "InfoGAN", "MLPGAN", "WGANGP"),
)

# By the name of the network: variants of one family need no entry of their own.
TINY_GENERATORS = {
    "mlp": {"widths": [24, 24]},
    "dcgan": {"channels": [8, 4]},
    "strided": {"channels": [6, 5, 4, 3]},
    "full_resolution": {"channels": [4, 4, 3]},
    "upsampling": {"channels": [6, 5, 4, 3]},
    "residual": {"channels": [6, 5, 4]},
}
TINY_DISCRIMINATORS = {
    "mlp": {"widths": [16, 16]},
    "dcgan": {"channels": [4, 8]},
    "strided": {"channels": [3, 4, 5, 6]},
    "residual": {"channels": [4, 6]},
    "maxout": {"widths": [12, 12], "pieces": 2},
    "mylab.bigan.PairDiscriminator": {"latent_dim": 8, "features": 4},
}


def kind_of_generator(variant: str) -> tuple[str, bool, str]:
    """What decides how a variant draws images: its network, whether it reads labels, its prior."""
    recipe = EVERY[variant].defaults
    return recipe.generator["name"], bool(recipe.generator.get("conditional")), recipe.prior["name"]


# A variant of each kind: what only draws, saves or loads images runs the same code in the others.
KINDS_OF_GENERATORS = sorted({kind_of_generator(name): name for name in sorted(VARIANTS, reverse=True)}.values())


def tiny_change(variant: str) -> dict[str, Any]:
    """What makes a variant train in milliseconds; the bare trainer has no data whose marginals could be a bias."""
    recipe = EVERY[variant].defaults
    return {
        "generator": TINY_GENERATORS[recipe.generator["name"]],
        "discriminator": TINY_DISCRIMINATORS[recipe.discriminator["name"]],
        "latent_dim": 16 if recipe.prior["name"] == "coded" else 8,
        "batch_size": 8,
        "output_bias": "drawn",
    }


def tiny_recipe(variant: str, change: dict[str, Any] | None = None) -> Recipe:
    """A variant's recipe with networks that train in milliseconds."""
    return EVERY[variant].defaults.merged(tiny_change(variant)).merged(change or {})


def tiny(variant: str, change: dict[str, Any] | None = None, seed: int = 0) -> AdversarialModule:
    """A variant with tiny networks, initialised from `seed`."""
    torch.manual_seed(seed)
    return EVERY[variant](tiny_recipe(variant, change))


class Digits:
    """Batches of real digits, mixed as they are sorted by class, over and over in one order."""

    def __init__(self, batch_size: int, batches: int = 7) -> None:
        images, labels = mnist.read_embedded()
        chosen = np.random.default_rng(0).permutation(len(images))[: batch_size * batches]
        self.images = torch.as_tensor(images[chosen]).view(batches, batch_size, 1, 28, 28)
        self.labels = torch.as_tensor(labels[chosen]).long().view(batches, batch_size)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from zip(self.images, self.labels, strict=True)


class Replay:
    """Batches that were recorded, each drawn once, whatever Lightning takes for an epoch."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = iter(batches)

    def __len__(self) -> int:
        return 1000

    def __iter__(self) -> Iterator[Any]:
        return self.batches


class Counter(pl.Callback):
    """Counts updates of each network by looking at which weights change, and global_step after each batch."""

    def __init__(self) -> None:
        self.changes: list[tuple[bool, ...]] = []
        self.clock: list[int] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.before = [parameters(network) for network in (module.discriminator, module.generator)]

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        after = [parameters(network) for network in (module.discriminator, module.generator)]
        self.changes.append(tuple(not same(a, b) for a, b in zip(self.before, after, strict=True)))
        self.clock.append(trainer.global_step)


class Recorder(pl.Callback):
    """Keeps every batch that was drawn, the scalars of its step, and who was updated."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.outputs: list[dict[str, Tensor]] = []
        self.updated: list[tuple[str, ...]] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append(batch)
        self.outputs.append(outputs["scalars"])
        self.updated.append(outputs["updated"])


def calls(network: torch.nn.Module) -> list[tuple[Tensor, Tensor | None, Tensor]]:
    """(input, labels, output) of each call of a network from now on; labels are None where it was given none."""
    record: list[tuple[Tensor, Tensor | None, Tensor]] = []

    def hook(network: torch.nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        record.append((inputs[0].detach().clone(), inputs[1] if len(inputs) > 1 else None, output.detach().clone()))

    network.register_forward_hook(hook)
    return record


def train(
    module: AdversarialModule, steps: int, *callbacks: pl.Callback, batches: Any = None, **settings: Any
) -> pl.Trainer:
    """Train up to generator update `steps` on real digits, with nothing but what is given."""
    settings = {"logger": False, "enable_checkpointing": False} | settings
    ckpt_path = settings.pop("ckpt_path", None)
    trainer = pl.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **settings,
    )
    trainer.fit(module, batches or Digits(module.recipe.batch_size), ckpt_path=ckpt_path, weights_only=True)
    return trainer


def optimised(make: Callable[..., Optimizer], start: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """A parameter's values after each update."""
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer, history = make([parameter]), []
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        history.append(parameter.detach().clone().numpy())
    return np.stack(history)


def weights(module: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def parameters(network: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of the parameters, without batch norm's running statistics, which any forward pass moves."""
    return {name: tensor.detach().clone() for name, tensor in network.named_parameters()}


def gradients(network: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of the gradients that there are."""
    return {name: tensor.grad.clone() for name, tensor in network.named_parameters() if tensor.grad is not None}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two state dicts are equal bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
