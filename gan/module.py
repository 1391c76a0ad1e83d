"""AdversarialModule: the one adversarial training step, which every variant shares."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.errors import UserError, usable
from gan.images import to_range
from gan.inits import initialise
from gan.losses import Loss
from gan.networks.layers import has_batch_statistics
from gan.recipe import Recipe
from gan.sampling import Sampler
from gan.streams import global_random_state, set_global_random_state, stream

GENERATOR, DISCRIMINATOR = 0, 1  # order of the optimizers
MAX_PARAMETERS = 500_000_000  # of one network, 2 GB; a file from elsewhere may ask for any number


class AdversarialModule(pl.LightningModule):
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
        self.prior = self.recipe.resolve("prior")
        self.loss: Loss = self.recipe.resolve("loss")  # type: ignore[assignment]
        self._concatenates = not has_batch_statistics(self.discriminator)

        self.run_seed: int = torch.initial_seed()
        self.images_seen = 0  # real images that D was trained on, over all processes
        self.discriminator_updates = 0
        self._turn = 0  # position in the round of d_steps + g_steps - 1 batches
        self._one_sided = 0  # batches in a row that `balance` gave to one network
        self._latent: Tensor | None = None  # of the last D update, for later G updates that share it
        self._restored: dict[str, Any] | None = None

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

    def sampler(self) -> Sampler:
        """The generator with its prior, for sampling; it shares the weights."""
        return Sampler(self.generator, self.prior, self.recipe.latent_dim, self.recipe.batch_size)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """Generator's, then discriminator's; only the first moves `global_step`."""
        optimizers = [
            self.recipe.resolve("generator_optimizer")(self.generator.parameters()),
            self.recipe.resolve("discriminator_optimizer")(self.discriminator.parameters()),
        ]
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
        real = to_range(images, self.output_range)
        update_discriminator, update_generator = self._turns(real, labels)
        statistics: dict[str, Tensor] = {}
        fake = None
        if update_discriminator:
            self._latent = self._draw(len(real))
            # With shared noise one generator pass serves both updates; else D's fakes need no graph.
            share_graph = update_generator and self.recipe.latent == "shared"
            with torch.set_grad_enabled(share_graph):
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
        optimizer = self._optimizer(DISCRIMINATOR)
        with self.toggled_optimizer(optimizer):
            real_logits, fake_logits = self._logits(real, fake, labels)
            loss = self.loss.discriminator(real_logits, fake_logits)
            for weight, penalty in self._penalties[DISCRIMINATOR]:
                loss = loss + weight * penalty(self.discriminator, real, fake)
            optimizer.zero_grad()
            self.manual_backward(loss)
            self._apply_schedules(DISCRIMINATOR, self.discriminator_updates)
            # Through the strategy, since LightningOptimizer.step would count as a step of the clock.
            self.trainer.strategy.optimizer_step(optimizer.optimizer, _nothing)
        self.discriminator_updates += 1
        real_logits, fake_logits = real_logits.detach(), fake_logits.detach()
        return {
            "loss/discriminator": loss.detach(),
            "probability/real": real_logits.sigmoid().mean(),
            "probability/fake": fake_logits.sigmoid().mean(),
            "accuracy/real": (real_logits > 0).float().mean(),
            "accuracy/fake": (fake_logits < 0).float().mean(),
        }

    def _update_generator(self, real: Tensor, fake: Tensor | None, labels: Tensor | None) -> dict[str, Tensor]:
        optimizer = self._optimizer(GENERATOR)
        with self.toggled_optimizer(optimizer):
            if fake is None:
                latent = self._latent if self.recipe.latent == "shared" else None
                fake = self.generator(self._draw(len(real)) if latent is None else latent, labels)
            fake_logits = self._judge(fake, labels)
            real_logits = self._judge(real, labels) if self.loss.generator_reads_real else fake_logits
            loss = self.loss.generator(real_logits, fake_logits)
            for weight, penalty in self._penalties[GENERATOR]:
                loss = loss + weight * penalty(self.generator, real, fake)
            optimizer.zero_grad()
            self.manual_backward(loss)
            self._apply_schedules(GENERATOR, self.global_step)
            optimizer.step()
        return {"loss/generator": loss.detach()}

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
        with torch.no_grad():
            real_logits, fake_logits = self._logits(real, self.generator(self._draw(len(real)), labels), labels)
            correct = (real_logits > 0).float().mean() + (fake_logits < 0).float().mean()
        accuracy = float(self.trainer.strategy.reduce(correct / 2, reduce_op="mean"))
        one_sided = not balance.low <= accuracy <= balance.high and self._one_sided < balance.patience
        self._one_sided = self._one_sided + 1 if one_sided else 0
        return not one_sided or accuracy < balance.low, not one_sided or accuracy > balance.high

    # Streams and state ------------------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """One run seed for all processes; strategies that cannot alternate two networks are refused."""
        strategy = self.trainer.strategy
        if isinstance(strategy, DDPStrategy):
            if not strategy._ddp_kwargs.get("find_unused_parameters") or strategy._ddp_kwargs.get("static_graph"):
                raise UserError(
                    "trainer.strategy: plain DDP stops at the first alternating step; "
                    "use ddp_find_unused_parameters_true"
                )
        elif not isinstance(strategy, SingleDeviceStrategy):
            raise UserError(
                f"trainer.strategy: {type(strategy).__name__} does not work with two alternating optimizers; "
                "use auto (one device) or ddp_find_unused_parameters_true"
            )
        self.run_seed = strategy.broadcast(torch.initial_seed())
        if self.recipe.batch_size % self.trainer.world_size:
            raise UserError(
                f"recipe.batch_size {self.recipe.batch_size} does not divide over {self.trainer.world_size} processes; "
                "it counts the images of all of them"
            )

    def on_fit_start(self) -> None:
        """Start, or go on with, this process's noise stream."""
        self.noise = stream("training noise", self.run_seed, self.global_rank, device=self.device)
        if self._restored is not None:
            self._restore_streams(self._restored)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """At a resumed run's first batch: the global random state (dropout's), last of all that could still move it."""
        if self._restored is not None:
            set_global_random_state(self._restored["random"][self.global_rank], self.device)
            self._restored = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the variant's name and the state of the round and of the streams; collective over processes."""
        noise = self.noise.get_state()
        checkpoint["adversarial"] = {
            "variant": f"{type(self).__module__}.{type(self).__qualname__}",
            "run_seed": self.run_seed,
            "images_seen": self.images_seen,
            "discriminator_updates": self.discriminator_updates,
            "turn": self._turn,
            "one_sided": self._one_sided,
            # Only a round in its middle needs its noise again.
            "latent": self._every_process(self._latent) if self._turn and self._latent is not None else None,
            "noise": self._every_process(noise),
            "random": self._every_process(global_random_state(self.device)),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the round's state; the streams follow once their device is known."""
        state = checkpoint.get("adversarial")
        if state is None:
            raise UserError("the checkpoint holds no adversarial state: it is not one of a GAN trained by this package")
        self.run_seed = state["run_seed"]
        self.images_seen = state["images_seen"]
        self.discriminator_updates = state["discriminator_updates"]
        self._turn, self._one_sided = state["turn"], state["one_sided"]
        self._restored = state

    def _every_process(self, tensor: Tensor) -> list[Tensor]:
        """This tensor of each process, by rank, on the CPU."""
        gathered = self.all_gather(tensor.to(self.device)) if self.trainer.world_size > 1 else tensor[None]
        return [item.cpu().clone() for item in gathered]

    def _restore_streams(self, state: dict[str, Any]) -> None:
        if len(state["noise"]) != self.trainer.world_size:
            raise UserError(
                f"the checkpoint was written by {len(state['noise'])} processes and cannot go on with "
                f"{self.trainer.world_size}; use as many devices as before"
            )
        if state["noise"][0].shape != self.noise.get_state().shape:
            raise UserError(f"the checkpoint's noise stream is not of a {self.device.type} device; resume where it ran")
        self.noise.set_state(state["noise"][self.global_rank])
        if state["latent"] is not None:
            self._latent = state["latent"][self.global_rank].to(self.device)


def _nothing() -> None:
    """The optimizer's closure: gradients are there already."""
