"""AdversarialModule: the one adversarial training step, which every variant shares."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import Any, ClassVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.errors import UserError, usable
from gan.images import to_range
from gan.inits import initialise
from gan.losses import Loss
from gan.networks.layers import DebiasedBatchNorm2d, batch_norms, differs_in_inference, has_batch_statistics
from gan.optimizers import TensorFlowAdam
from gan.recipe import Recipe
from gan.resumable import ResumableModule
from gan.sampling import Sampler, in_inference

GENERATOR, DISCRIMINATOR = 0, 1  # order of the optimizers
MAX_PARAMETERS = 500_000_000  # of one network, 2 GB; a file from elsewhere may ask for any number


class AdversarialModule(ResumableModule):
    """A GAN: a generator, a discriminator and the rules of their game, all from the recipe.

    Batches are (images, labels): images (N, C, H, W), uint8 or float in [0, 1]. `global_step` counts generator updates.
    A subclass is a variant: it sets `defaults` and adds only rules that no other variant has.

    Args:
        recipe: the values; None for the variant's own `defaults`, or a mapping of all of them, as checkpoints hold it.
        image_shape: (C, H, W) of the data; a network that cannot make it raises UserError.
        num_classes: classes of the data; 0 where it has none.
    """

    defaults: ClassVar[Recipe]

    def __init__(
        self,
        recipe: Recipe | dict[str, Any] | None = None,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        recipe = self.defaults if recipe is None else recipe
        self.recipe = Recipe.from_dict(recipe) if isinstance(recipe, Mapping) else recipe
        self.image_shape = tuple(image_shape)
        self.save_hyperparameters(
            {"recipe": self.recipe.to_dict(), "image_shape": list(image_shape), "num_classes": num_classes},
            logger=False,
        )
        self.generator = self._build("generator", self.recipe.latent_dim, self.image_shape, num_classes)
        self.discriminator = self._build("discriminator", self.image_shape, num_classes)
        with usable("recipe.generator"):  # of whoever wrote it
            self.output_range: tuple[float, float] = self.generator.output_range  # type: ignore[assignment]
        self.real_range = (0.0, 1.0) if self.recipe.real_range == "unit" else self.output_range
        self.prior = self.recipe.resolve("prior")
        self.loss: Loss = self.recipe.resolve("loss")  # type: ignore[assignment]
        self._concatenates = not has_batch_statistics(self.discriminator)
        self._refuse_idle_fields()

    def _build(self, player: str, *arguments: Any) -> nn.Module:
        """A network with its initial weights; UserError, naming the field, for values that make none or a giant."""
        make = self.recipe.resolve(player)
        with usable(f"recipe.{player}"):
            if "." not in getattr(self.recipe, player)["name"]:  # code from elsewhere need not work on the meta device
                with torch.device("meta"):  # counts the parameters without allocating them
                    count = sum(parameter.numel() for parameter in make(*arguments).parameters())
                if count > MAX_PARAMETERS:
                    raise UserError(f"recipe.{player} would have {count:,} parameters; allowed: {MAX_PARAMETERS:,}")
            network = make(*arguments)
        with usable(f"recipe.{player}_weights and recipe.{player}_biases"):
            initialise(network, self.recipe.resolve(f"{player}_weights"), self.recipe.resolve(f"{player}_biases"))
        return network

    def _refuse_idle_fields(self) -> None:
        """UserError for a rule that these networks could not show."""
        if self.recipe.real_range == "unit" and self.output_range == (0.0, 1.0):
            raise UserError("recipe.real_range: unit changes nothing: the generator's output has that range")
        if self.recipe.fakes == "inference" and not differs_in_inference(self.generator):
            raise UserError("recipe.fakes: inference changes nothing: the generator has no dropout and no batch norm")
        if self.recipe.frozen_batch_norm == "moving":
            norms = batch_norms(self.discriminator)
            if not norms or any(norm.running_mean is None for norm in norms):
                raise UserError("recipe.frozen_batch_norm: moving needs a discriminator that keeps moving statistics")

    def setup(self, stage: str) -> None:
        """What these networks and optimizers cannot do with this trainer is refused; a batch of one image is tried out.

        Batch norm has but one value of each channel where a map is a pixel.
        """
        super().setup(stage)
        if getattr(self.trainer.strategy, "_layer_sync", None) and any(
            isinstance(norm, DebiasedBatchNorm2d) for norm in batch_norms(self)
        ):
            raise UserError("trainer.sync_batchnorm: would replace the debiased batch norm by another; remove it")
        optimizers = str((self.recipe.generator_optimizer, self.recipe.discriminator_optimizer))
        if self.trainer.precision == "16-mixed" and "tensorflow_adam" in optimizers:
            raise UserError("trainer.precision: 16-mixed skips updates that tensorflow_adam counts; use bf16-mixed")
        if self.recipe.batch_size == self.trainer.world_size:
            with usable("recipe.batch_size of 1 a process"), torch.random.fork_rng(devices=[]), torch.no_grad():
                generator, discriminator = deepcopy((self.generator, self.discriminator))
                discriminator(generator(self.prior((1, self.recipe.latent_dim), torch.Generator())))

    def sampler(self) -> Sampler:
        """The generator with its prior, for sampling; it shares the weights."""
        return Sampler(self.generator, self.prior, self.recipe.latent_dim, self.recipe.batch_size)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """Generator's, then discriminator's; only the first moves `global_step`."""
        optimizers = [
            self.recipe.resolve("generator_optimizer")(self.generator.parameters()),
            self.recipe.resolve("discriminator_optimizer")(self.discriminator.parameters()),
        ]
        if self.recipe.step_count == "shared":
            generator_adam, discriminator_adam = optimizers
            assert isinstance(generator_adam, TensorFlowAdam), "the recipe refuses others"
            assert isinstance(discriminator_adam, TensorFlowAdam), "the recipe refuses others"
            discriminator_adam.share_step_count(generator_adam)
        # (schedule, value that it starts from, name of the value) for each optimizer
        self._schedules = [
            [(function, optimizer.param_groups[0][value], value) for value, function in schedules.items()]
            for optimizer, schedules in zip(
                optimizers, (self.recipe.schedules("generator"), self.recipe.schedules("discriminator")), strict=True
            )
        ]
        self._penalties = [self.recipe.penalties("generator"), self.recipe.penalties("discriminator")]
        return optimizers, []

    # The step ---------------------------------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor | None], batch_idx: int) -> dict[str, Tensor]:
        """One batch of a round: a D update in its first `d_steps` batches, a G update in its last `g_steps`.

        So a batch has at most one G update, `global_step` passes every number, and nothing overshoots `max_steps`.
        Labels go to both networks. Returns detached scalars, still on the device: losses, D's mean probabilities and
        accuracies.
        """
        images, labels = batch
        real = to_range(images, self.real_range)
        update_discriminator, update_generator = self._turns(real, labels)
        statistics: dict[str, Tensor] = {}
        fake = None
        if update_discriminator:
            self._latent = self._draw(len(real))
            # With shared noise one generator pass serves both updates; else D's fakes need no graph.
            same_mode = self.recipe.fakes == "training"
            share_graph = update_generator and self.recipe.latent == "shared" and same_mode
            with torch.set_grad_enabled(share_graph), self._predicting():
                fake = self.generator(self._latent, labels)
            statistics |= self._update_discriminator(real, fake.detach(), labels)
            fake = fake if share_graph else None
            self.images_seen += len(real) * self.trainer.world_size
        elif self.recipe.balance is not None:
            self._latent = None  # a batch of G alone has noise of its own
        if update_generator:
            statistics |= self._update_generator(real, fake, labels)
        return statistics

    def _update_discriminator(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        with self.toggled_optimizer(self._optimizer(DISCRIMINATOR)):
            if self.recipe.discriminator_update == "joint":
                real_logits, fake_logits = self._logits(real, fake, labels)
                loss = self._descend(DISCRIMINATOR, self.loss.discriminator(real_logits, fake_logits), real, fake)
            else:  # D judges the fakes after it has learnt from the real images; losses are those before each update
                assert self.loss.halves is not None, "the recipe refuses others"
                on_real, on_fake = self.loss.halves
                real_logits = self._judge(real, labels)
                loss = self._descend(DISCRIMINATOR, on_real(real_logits), real, fake)
                fake_logits = self._judge(fake, labels)
                loss = loss + self._descend(DISCRIMINATOR, on_fake(fake_logits), real, fake)
        real_logits, fake_logits = real_logits.detach(), fake_logits.detach()
        return {
            "loss/discriminator": loss,
            "probability/real": real_logits.sigmoid().mean(),
            "probability/fake": fake_logits.sigmoid().mean(),
            "accuracy/real": (real_logits > 0).float().mean(),
            "accuracy/fake": (fake_logits < 0).float().mean(),
        }

    def _update_generator(self, real: Tensor, fake: Tensor | None, labels: Tensor | None) -> dict[str, Tensor]:
        frozen = batch_norms(self.discriminator) if self.recipe.frozen_batch_norm == "moving" else []
        with self.toggled_optimizer(self._optimizer(GENERATOR)), in_inference(frozen):
            if fake is None:
                latent = self._latent if self.recipe.latent == "shared" else None
                fake = self.generator(self._draw(len(real)) if latent is None else latent, labels)
            fake_logits = self._judge(fake, labels)
            real_logits = self._judge(real, labels) if self.loss.generator_reads_real else fake_logits
            return {
                "loss/generator": self._descend(GENERATOR, self.loss.generator(real_logits, fake_logits), real, fake)
            }

    def _descend(self, player: int, loss: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """One update of one network: penalties, gradients, the schedules' values, a step. The loss, detached."""
        optimizer = self._optimizer(player)
        for weight, penalty in self._penalties[player]:
            loss = loss + weight * penalty((self.generator, self.discriminator)[player], real, fake)
        optimizer.zero_grad()
        self.manual_backward(loss)
        if player == GENERATOR:
            self._apply_schedules(player, self.global_step)
            optimizer.step()
        else:
            self._apply_schedules(player, self.discriminator_updates)
            # Through the strategy, since LightningOptimizer.step would count as a step of the clock.
            self.trainer.strategy.optimizer_step(optimizer.optimizer, _nothing)
            self.discriminator_updates += 1
            torch.clear_autocast_cache()  # of weights in bfloat16: this batch may go on with the new ones
        return loss.detach()

    def _logits(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """D(x) and D(G(z)): in one pass where images do not affect each other, in two where D has batch statistics."""
        if self._concatenates:
            both = self._judge(torch.cat([real, fake]), None if labels is None else torch.cat([labels, labels]))
            return both[: len(real)], both[len(real) :]
        return self._judge(real, labels), self._judge(fake, labels)

    def _judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Logits in float32 at least: under autocast losses and statistics would lose their digits in bfloat16."""
        logits = self.discriminator(images, labels)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def _predicting(self) -> AbstractContextManager[None]:
        """G in the mode in which it makes D's fakes."""
        return in_inference(self.generator.modules() if self.recipe.fakes == "inference" else [])

    def _draw(self, num: int) -> Tensor:
        """Latents (num, latent_dim) from this process's own training stream."""
        return self.prior((num, self.recipe.latent_dim), self.noise)

    def _optimizer(self, index: int) -> LightningOptimizer:
        return self.optimizers()[index]  # type: ignore[index]

    def _apply_schedules(self, index: int, updates: int) -> None:
        """Set the values for the coming update, the network's number `updates`; the learning rate follows the clock."""
        for schedule, initial, value in self._schedules[index]:
            for group in self._optimizer(index).param_groups:
                group[value] = schedule(initial, self.global_step if value == "lr" else updates)

    def _turns(self, real: Tensor, labels: Tensor | None) -> tuple[bool, bool]:
        """Whether this batch has a D update, and a G update."""
        d_steps, g_steps, turn = self.recipe.d_steps, self.recipe.g_steps, self._turn
        self._turn = (turn + 1) % (d_steps + g_steps - 1)
        balance = self.recipe.balance
        if balance is None:
            return turn < d_steps, turn >= d_steps - 1
        with torch.no_grad(), self._predicting():
            real_logits, fake_logits = self._logits(real, self.generator(self._draw(len(real)), labels), labels)
            correct = (real_logits > 0).float().mean() + (fake_logits < 0).float().mean()
        accuracy = float(self.trainer.strategy.reduce(correct / 2, reduce_op="mean"))
        one_sided = not balance.low <= accuracy <= balance.high and self._one_sided < balance.patience
        self._one_sided = self._one_sided + 1 if one_sided else 0
        return not one_sided or accuracy < balance.low, not one_sided or accuracy > balance.high


def _nothing() -> None:
    """The optimizer's closure: gradients are there already."""
