"""AdversarialModule: the one adversarial training step, which every variant shares."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan.base.errors import UserError
from gan.base.images import pack, to_range
from gan.engine.building import (
    build_networks,
    names_classes,
    reads_labels,
    refuse_for_trainer,
    set_output_bias,
    try_a_single_image,
)
from gan.engine.recipe import Recipe
from gan.engine.sampling import Sampler, in_inference
from gan.engine.updating import DISCRIMINATOR, GENERATOR, UpdatingModule
from gan.parts.networks.layers import batch_norms, has_batch_statistics


class AdversarialModule(UpdatingModule):
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
        channels, height, width = image_shape  # a list in checkpoints
        self.image_shape = (channels, height, width)
        self.save_hyperparameters(
            {"recipe": self.recipe.to_dict(), "image_shape": list(image_shape), "num_classes": num_classes},
            logger=False,
        )
        self.generator, self.discriminator = build_networks(self.recipe, self.image_shape, num_classes)
        self.average = deepcopy(self.generator).requires_grad_(False) if self.recipe.ema_decay else None
        self.output_range: tuple[float, float] = self.generator.output_range  # type: ignore[assignment]
        self.real_range = (0.0, 1.0) if self.recipe.real_range == "unit" else self.output_range
        self.prior = self.recipe.resolve("prior")
        self.loss = self.recipe.objective()
        self.auxiliary = self.recipe.auxiliary_loss()
        self._augmenters = self.recipe.augmenters()
        networks_read = reads_labels(self.generator) or reads_labels(self.discriminator)
        self._needs_labels = networks_read or names_classes(self.recipe)
        self._waits = False  # whether D's step waits for G's gradient: both at the same weights
        self._concatenates = not has_batch_statistics(self.discriminator)

    def setup(self, stage: str) -> None:
        """What these networks and optimizers cannot do with this trainer is refused; a batch of one image is tried."""
        super().setup(stage)
        refuse_for_trainer(self, self.recipe)
        if self.recipe.batch_size == self.trainer.world_size:
            try_a_single_image(self.recipe, self.generator, self.discriminator, self.prior)

    def on_fit_start(self) -> None:
        """Streams; in a new run also what the recipe takes from the data."""
        new = self._restored is None
        super().on_fit_start()
        if new and self.recipe.output_bias == "marginals":
            data = getattr(getattr(self.trainer, "datamodule", None), "loaded", None)
            if data is None:
                raise UserError("recipe.output_bias: marginals needs the data's images: train with an ImageDataModule")
            for network in (self.generator, self.average):
                if network is not None:
                    set_output_bias(network, data.train.images)

    def sampler(self, weights: str | None = None) -> Sampler:
        """A generator with its prior; it shares the weights: the averaged (`ema`) ones where there are, or `raw`."""
        weights = weights or ("raw" if self.average is None else "ema")
        generator = self.generator if weights == "raw" else self.average
        if generator is None:
            raise UserError("weights: ema needs a recipe with an ema_decay; take raw")
        classes = self.hparams["num_classes"] if reads_labels(generator) else 0
        return Sampler(generator, self.prior, self.recipe.latent_dim, self.recipe.batch_size, classes, weights)

    # The step ---------------------------------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor | None], batch_idx: int) -> dict[str, Tensor]:
        """One batch of a round: a D update in its first `d_steps` batches, a G update in its last `g_steps`.

        So a batch has at most one G update, `global_step` passes every number, and nothing overshoots `max_steps`.
        Labels go to both networks. Returns detached scalars, still on the device: losses, D's mean probabilities and
        accuracies.
        """
        images, labels = batch
        if labels is None and self._needs_labels:
            raise UserError(
                "the batches hold no labels, which this recipe's networks learn from; give (images, labels)"
            )
        real = to_range(images, self.real_range)
        update_discriminator, update_generator = self._turns(real, labels)
        self._waits = update_discriminator and update_generator and self.recipe.updates == "simultaneous"
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
        real, fake, latent = self._seen(real), self._seen(fake), self._latent
        with self.toggled_optimizer(self._optimizer(DISCRIMINATOR)):
            if self.recipe.discriminator_update == "joint":
                on_real, on_fake = self._judge_both(real, fake, labels)
                loss = self.loss.discriminator(on_real[:, :1], on_fake[:, :1])
                loss = self._guided(self._guided(loss, on_real, labels, None), on_fake, labels, latent)
                loss = self._descend(DISCRIMINATOR, loss, real, fake, labels)
            else:  # D judges the fakes after it has learnt from the real images; losses are those before each update
                assert self.loss.halves is not None, "the recipe refuses others"
                real_half, fake_half = self.loss.halves
                on_real = self._judge(real, labels)
                loss = self._guided(real_half(on_real[:, :1]), on_real, labels, None)
                loss = self._descend(DISCRIMINATOR, loss, real, fake, labels)
                on_fake = self._judge(fake, labels)
                second = self._guided(fake_half(on_fake[:, :1]), on_fake, labels, latent)
                loss = loss + self._descend(DISCRIMINATOR, second, real, fake, labels)
        real_logits, fake_logits = on_real[:, :1].detach(), on_fake[:, :1].detach()
        statistics = {
            "loss/discriminator": loss,
            "probability/real": real_logits.sigmoid().mean(),
            "probability/fake": fake_logits.sigmoid().mean(),
        }
        if self.loss.boundary is not None:
            statistics["accuracy/real"] = (real_logits > self.loss.boundary).float().mean()
            statistics["accuracy/fake"] = (fake_logits < self.loss.boundary).float().mean()
        return statistics

    def _update_generator(self, real: Tensor, fake: Tensor | None, labels: Tensor | None) -> dict[str, Tensor]:
        frozen = batch_norms(self.discriminator) if self.recipe.frozen_batch_norm == "moving" else []
        with self.toggled_optimizer(self._optimizer(GENERATOR)), in_inference(frozen):
            latent = self._latent if self.recipe.latent == "shared" else None
            if fake is None:
                latent = self._draw(len(real)) if latent is None else latent
                fake = self.generator(latent, labels)
            seen = self._seen(fake)
            on_fake = self._judge(seen, labels)
            on_real = self._judge(self._seen(real), labels) if self.loss.generator_reads_real else on_fake
            loss = self._guided(self.loss.generator(on_real[:, :1], on_fake[:, :1]), on_fake, labels, latent)
            return {"loss/generator": self._descend(GENERATOR, loss, real, fake, labels)}

    def _descend(self, player: int, loss: Tensor, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        """Penalties, gradients and, unless D has to wait for G, one step of one network. The loss, detached."""
        network = (self.generator, self.discriminator)[player]
        updates = self.global_step if player == GENERATOR else self.discriminator_updates
        for penalty in self._penalties[player]:
            if updates % penalty.interval == 0:
                value = penalty.function(network, real, fake, labels, self.noise)
                loss = loss + penalty.weight * penalty.interval * value
        self._optimizer(player).zero_grad()
        self.manual_backward(loss)
        if player == GENERATOR and self._waits:
            self._step(DISCRIMINATOR)  # before G's step, which moves the clock that schedules read
        if player == GENERATOR or not self._waits:
            self._step(player)
        return loss.detach()

    def _seen(self, images: Tensor) -> Tensor:
        """Images as D sees them, real and fake alike: augmented, then `packing` of them as one."""
        for augment in self._augmenters:
            images = augment(images, self.noise, self.global_step)
        return pack(images, self.recipe.packing)

    def _judge_both(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """D(x) and D(G(z)): in one pass where images do not affect each other, in two where D has batch statistics."""
        if self._concatenates:
            both = self._judge(torch.cat([real, fake]), None if labels is None else torch.cat([labels, labels]))
            return both[: len(real)], both[len(real) :]
        return self._judge(real, labels), self._judge(fake, labels)

    def _judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """D's outputs (N, 1 + K), logits first, in float32 at least: bfloat16 would lose the losses' digits."""
        outputs = self.discriminator(images, labels)
        outputs = outputs if outputs.ndim > 1 else outputs[:, None]
        return outputs.to(torch.promote_types(outputs.dtype, torch.float32))

    def _guided(self, loss: Tensor, outputs: Tensor, labels: Tensor | None, latent: Tensor | None) -> Tensor:
        """`loss` and that of D's auxiliary head, if it has one; `latent` of the fakes, None for real images."""
        return loss if self.auxiliary is None else loss + self.auxiliary.loss(outputs[:, 1:], labels, latent)

    def _predicting(self) -> AbstractContextManager[None]:
        """G in the mode in which it makes D's fakes."""
        return in_inference(self.generator.modules() if self.recipe.fakes == "inference" else [])

    def _draw(self, num: int) -> Tensor:
        """Latents (num, latent_dim) from this process's own training stream."""
        return self.prior((num, self.recipe.latent_dim), self.noise)

    def _turns(self, real: Tensor, labels: Tensor | None) -> tuple[bool, bool]:
        """Whether this batch has a D update, and a G update."""
        if self.discriminator_updates < self.recipe.pretraining:
            return True, False
        d_steps, g_steps, turn = self.recipe.d_steps, self.recipe.g_steps, self._turn
        self._turn = (turn + 1) % (d_steps + g_steps - 1)
        balance = self.recipe.balance
        if balance is None:
            return turn < d_steps, turn >= d_steps - 1
        with torch.no_grad(), self._predicting():
            fake = self.generator(self._draw(len(real)), labels)
            on_real, on_fake = self._judge_both(self._seen(real), self._seen(fake), labels)
            assert self.loss.boundary is not None, "the recipe refuses others"
            correct = (on_real[:, 0] > self.loss.boundary).float().mean()
            correct += (on_fake[:, 0] < self.loss.boundary).float().mean()
        accuracy = float(self.trainer.strategy.reduce(correct / 2, reduce_op="mean"))
        one_sided = not balance.low <= accuracy <= balance.high and self._one_sided < balance.patience
        self._one_sided = self._one_sided + 1 if one_sided else 0
        return not one_sided or accuracy < balance.low, not one_sided or accuracy > balance.high
