"""Builds the two networks of a recipe, and refuses networks, data and trainers that the recipe cannot work with."""

from collections.abc import Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gan.base.errors import UserError, usable
from gan.engine.recipe import Recipe
from gan.parts.inits import initialise
from gan.parts.networks.layers import DebiasedBatchNorm2d, batch_norms, differs_in_inference, has_batch_statistics

if TYPE_CHECKING:
    import pytorch_lightning as pl

MAX_PARAMETERS = 500_000_000  # of one network: 2 GB. A file from elsewhere could ask for any number
ALMOST_ZERO = 1e-7  # the probability of a pixel that no image sets; at 0 its bias would be infinite


def build_networks(recipe: Recipe, image_shape: tuple[int, int, int], num_classes: int) -> tuple[nn.Module, nn.Module]:
    """Return the generator and the discriminator, with their initial weights.

    Raises UserError, which names the field, if the values make no network, one that is too large, or one in which a
    field of the recipe would change nothing.
    """
    generator = _network(recipe, "generator", recipe.latent_dim, image_shape, num_classes)
    channels, height, width = image_shape
    settings = {}
    auxiliary = recipe.auxiliary_loss()
    if auxiliary is not None:
        with usable("recipe.auxiliary"):
            settings = {"outputs": 1 + auxiliary.outputs(num_classes)}
    seen = (channels * recipe.packing, height, width)
    discriminator = _network(recipe, "discriminator", seen, num_classes, **settings)
    _refuse_idle_fields(recipe, generator, discriminator)
    return generator, discriminator


def reads_labels(network: nn.Module) -> bool:
    """Return whether a network's output depends on the labels that it is given."""
    return bool(getattr(network, "reads_labels", False))


def names_classes(recipe: Recipe) -> bool:
    """Return whether D has a head that names the class."""
    return recipe.auxiliary is not None and recipe.auxiliary["name"] == "classes"  # type: ignore[index]


def _network(recipe: Recipe, player: str, *arguments: Any, **settings: Any) -> nn.Module:
    make = recipe.resolve(player)
    with usable(f"recipe.{player}"):
        if "." not in getattr(recipe, player)["name"]:  # a network from elsewhere may not work on the meta device
            with torch.device("meta"):  # no memory is allocated there
                count = sum(parameter.numel() for parameter in make(*arguments, **settings).parameters())
            if count > MAX_PARAMETERS:
                raise UserError(f"recipe.{player} would have {count:,} parameters; allowed: {MAX_PARAMETERS:,}")
        network = make(*arguments, **settings)
    initialise_as(player, network, recipe)
    return network


def initialise_as(player: str, module: nn.Module, recipe: Recipe) -> None:
    """Draw the weights and biases of a module from the distributions that the recipe has for this player."""
    with usable(f"recipe.{player}_weights and recipe.{player}_biases"):
        initialise(module, recipe.resolve(f"{player}_weights"), recipe.resolve(f"{player}_biases"))


def _refuse_idle_fields(recipe: Recipe, generator: nn.Module, discriminator: nn.Module) -> None:
    """Raise UserError for a field of the recipe that would change nothing with these networks."""
    with usable("recipe.generator"):  # a generator from elsewhere may lack the attribute
        output_range = generator.output_range
    if recipe.real_range == "unit" and output_range == (0.0, 1.0):
        raise UserError("recipe.real_range: unit changes nothing: the generator's output has that range")
    if recipe.fakes == "inference" and not differs_in_inference(generator):
        raise UserError("recipe.fakes: inference changes nothing: the generator has no dropout and no batch norm")
    if recipe.discriminator_batches == "mixed" and not has_batch_statistics(discriminator):
        raise UserError("recipe.discriminator_batches: mixed changes nothing: the discriminator has no batch norm")
    if recipe.frozen_batch_norm == "moving":
        norms = batch_norms(discriminator)
        if not norms or any(norm.running_mean is None for norm in norms):
            raise UserError("recipe.frozen_batch_norm: moving needs a discriminator that keeps moving statistics")
    told, judged = reads_labels(generator), reads_labels(discriminator) or names_classes(recipe)
    if told != judged:
        who, other = ("G", "D") if told else ("D", "G")
        raise UserError(
            f"recipe: {who} reads the labels and {other} does not, so that they mean nothing; a conditional GAN has "
            "generator.conditional, and discriminator.labels or the auxiliary loss classes"
        )
    if recipe.packing > 1 and (reads_labels(discriminator) or recipe.auxiliary is not None):
        raise UserError("recipe.packing: a pack has no one label or code: give D no labels and no auxiliary loss")
    if recipe.output_bias == "marginals" and not _output_bias(generator).requires_grad:
        raise UserError("recipe.output_bias: marginals needs a generator whose last layer has a bias that learns")


def refuse_for_trainer(trainer: "pl.Trainer", module: nn.Module, recipe: Recipe) -> None:
    """Raise UserError if the trainer cannot alternate two networks, or cannot train with this recipe."""
    from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy  # networks need no Lightning

    strategy = trainer.strategy
    if isinstance(strategy, DDPStrategy):
        if not strategy._ddp_kwargs.get("find_unused_parameters") or strategy._ddp_kwargs.get("static_graph"):
            raise UserError(
                "trainer.strategy: plain DDP stops at the first alternating step; use ddp_find_unused_parameters_true"
            )
    elif not isinstance(strategy, SingleDeviceStrategy):
        raise UserError(
            f"trainer.strategy: {type(strategy).__name__} does not work with two alternating optimizers; "
            "use auto (one device) or ddp_find_unused_parameters_true"
        )
    if getattr(trainer.strategy, "_layer_sync", None) and any(
        isinstance(norm, DebiasedBatchNorm2d) for norm in batch_norms(module)
    ):
        raise UserError("trainer.sync_batchnorm: would replace the debiased batch norm by another; remove it")
    if trainer.precision == "16-mixed" and "tensorflow_adam" in str(
        (recipe.generator_optimizer, recipe.discriminator_optimizer)
    ):
        raise UserError("trainer.precision: 16-mixed skips updates that tensorflow_adam counts; use bf16-mixed")
    if trainer.precision == "16-mixed" and recipe.updates == "simultaneous":
        raise UserError("trainer.precision: 16-mixed cannot scale simultaneous updates; use bf16-mixed")
    each, rest = divmod(recipe.batch_size, trainer.world_size)
    if rest:
        raise UserError(
            f"recipe.batch_size {recipe.batch_size} does not divide over {trainer.world_size} processes; "
            "it counts the images of all of them"
        )
    if each % recipe.packing:
        raise UserError(f"recipe.packing {recipe.packing} does not divide the {each} images of each process")


def try_a_single_image(recipe: Recipe, generator: nn.Module, discriminator: nn.Module, prior: Any) -> None:
    """Raise UserError if the networks cannot take a batch of one image.

    Batch norm cannot: in a map of 1×1 it would have a single value of each channel.
    """
    with usable("recipe.batch_size of 1 a process"), torch.random.fork_rng(devices=[]), torch.no_grad():
        generator, discriminator = deepcopy((generator, discriminator))
        discriminator(generator(prior((1, recipe.latent_dim), torch.Generator())))


def set_output_biases(generators: Iterable[nn.Module], data: Any) -> None:
    """Call `set_output_bias` with the training images of a data module. UserError if there is no data module."""
    loaded = getattr(data, "loaded", None)
    if loaded is None:
        raise UserError("recipe.output_bias: marginals needs the data's images: train with an ImageDataModule")
    for generator in generators:
        set_output_bias(generator, loaded.train.images)


@torch.no_grad()
def set_output_bias(generator: nn.Module, images: Tensor) -> None:
    """Set the bias of G's last layer so that the bias alone would make G's output the mean of the images.

    `images` are uint8 (N, C, H, W). Where the layer has a bias for each pixel, it takes the mean of each pixel. Else it
    takes the mean of each channel (Goodfellow et al., 2014; goodfeli/adversarial, mnist.yaml:
    init_sigmoid_bias_from_marginals).
    """
    bias, mean = _output_bias(generator), images.sum(dim=0, dtype=torch.int64) / (255.0 * len(images))  # (C, H, W)
    mean = mean.flatten() if bias.numel() == mean.numel() else mean.mean(dim=(1, 2))
    logits = mean.clamp(ALMOST_ZERO, 1 - ALMOST_ZERO).logit()
    # tanh(x) = 2 sigmoid(2x) - 1
    bias.copy_(logits if generator.output_range == (0.0, 1.0) else logits / 2)


def _output_bias(generator: nn.Module) -> Tensor:
    layers = [m for m in generator.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
    if not layers or layers[-1].bias is None:
        raise UserError("recipe.output_bias: marginals needs a generator whose last layer has a bias")
    return layers[-1].bias
