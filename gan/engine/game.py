"""AdversarialModule: the game of a generator and a discriminator, and its one training step."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.base.errors import UserError
from gan.base.images import pack, to_range
from gan.base.seeds import Seeds
from gan.base.streams import Streams, drawing_from, part_processes
from gan.engine.building import (
    build_networks,
    names_classes,
    reads_labels,
    refuse_for_trainer,
    set_output_biases,
    try_a_single_image,
)
from gan.engine.look import Judged, Labels, Look, Outcome
from gan.engine.players import PLAYERS, Player, make_optimizers
from gan.engine.recipe import Recipe
from gan.engine.rounds import Round
from gan.engine.sampling import Sampler, in_inference
from gan.engine.saving import KEY, go_on, go_on_at_the_first_batch, state_of, take_state
from gan.parts.networks.layers import batch_norms, has_batch_statistics


class AdversarialModule(pl.LightningModule):
    """A GAN: a generator, a discriminator and the rules of their game, all from the recipe.

    Batches are (images, labels): images (N, C, H, W), uint8 or float in [0, 1]. `global_step` counts generator updates.
    A subclass is a variant. It sets `defaults`, and may override what its players minimise (`discriminator_loss`,
    `generator_loss`), what D sees (`augment`) and what happens after a step (`after_step`); `add_modules` gives a
    player further networks.

    Args:
        recipe: the values; None for the variant's own `defaults`, or a mapping of all of them, as checkpoints hold it.
        image_shape: (C, H, W) of the data; a network that cannot make it raises UserError.
        num_classes: classes of the data; 0 where it has none.
        seeds: of `init`, `order`, `noise` or `dropout`, where they are not to be the run's, PyTorch's initial seed.
    """

    defaults: ClassVar[Recipe]

    def __init__(
        self,
        recipe: Recipe | Mapping[str, Any] | None = None,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        num_classes: int = 10,
        seeds: Mapping[str, int | None] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        recipe = self.defaults if recipe is None else recipe
        self.recipe = Recipe.from_dict(recipe) if isinstance(recipe, Mapping) else recipe
        self.image_shape = (image_shape[0], image_shape[1], image_shape[2])  # a list in checkpoints
        self.save_hyperparameters(
            {"recipe": self.recipe.to_dict(), "image_shape": list(image_shape), "num_classes": num_classes},
            logger=False,
        )
        self.run_seed: int = torch.initial_seed()
        self._given_seeds, self.seeds = seeds, Seeds.of(self.run_seed, seeds)
        with drawing_from("initial weights", self.seeds.init):
            self.generator, self.discriminator = build_networks(self.recipe, self.image_shape, num_classes)
        self.players = {
            "generator": Player("generator", self.generator, self.recipe, averaged=self.recipe.ema_decay > 0),
            "discriminator": Player("discriminator", self.discriminator, self.recipe),
        }
        self.average = self.players["generator"].averages.get("generator")
        self.round = Round(self.recipe)
        self.images_seen = 0  # real images that D was trained on, over all processes
        self.output_range: tuple[float, float] = self.generator.output_range  # type: ignore[assignment]
        self.real_range = (0.0, 1.0) if self.recipe.real_range == "unit" else self.output_range
        self.prior = self.recipe.resolve("prior")
        self.loss = self.recipe.objective()
        self.auxiliary = self.recipe.auxiliary_loss()
        self.augmenters = self.recipe.augmenters()
        self._needs_labels = any(map(reads_labels, self.children())) or names_classes(self.recipe)
        self._concatenates = not has_batch_statistics(self.discriminator)
        self._restored: dict[str, Any] | None = None  # a checkpoint's state, until the streams have gone on from it
        halved = self.recipe.discriminator_update == "real_then_fake"
        if halved and type(self).discriminator_loss is not AdversarialModule.discriminator_loss:
            raise UserError("recipe.discriminator_update: real_then_fake halves the recipe's loss; here D has its own")

    # For variants ---

    def add_modules(self, player: str, **modules: nn.Module) -> None:
        """Give a player further modules: attributes of this one, called by a variant's constructor.

        They are initialised as the player's network is, trained by its optimizer, averaged where it is, saved, resumed,
        and part of the snapshots of the generator, whose `Sampler` has them in `further`.
        """
        for name, module in modules.items():
            if hasattr(self, name):
                raise ValueError(f"add_modules: {name!r} is an attribute of every variant; choose another name")
            setattr(self, name, module)
            with drawing_from(f"initial weights of {name}", self.seeds.init):
                setattr(self, f"average_{name}", self.players[player].add(name, module))

    def discriminator_loss(self, look: Look) -> Judged:
        """What D minimises on a look, before its penalties: the recipe's loss and that of an auxiliary head."""
        on_real, on_fake = self._judge_both(look)
        loss = self.loss.discriminator(on_real[:, :1], on_fake[:, :1])
        loss = self._guided(self._guided(loss, on_real, look.labels, None), on_fake, look.labels, look.latent)
        return Judged(loss, on_real[:, :1], on_fake[:, :1])

    def generator_loss(self, look: Look) -> Tensor:
        """What G minimises on a look, before its penalties: the recipe's loss and that of an auxiliary head."""
        on_fake = self.judge(look.seen_fake, look.labels)
        on_real = self.judge(look.seen_real, look.labels) if self.loss.generator_reads_real else on_fake
        return self._guided(self.loss.generator(on_real[:, :1], on_fake[:, :1]), on_fake, look.labels, look.latent)

    def augment(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) as D sees them, real and fake alike, in the same shape."""
        for augment in self.augmenters:
            images = augment(images, self.streams.noise, self.global_step)
        return images

    def after_step(self, outcome: Outcome) -> None:
        """Called at the end of every step, for state that moves with the steps; buffers are saved and resumed."""

    def judge(self, seen: Tensor, labels: Labels, **inputs: Tensor) -> Tensor:
        """D's outputs (N, 1 + K) on seen images, logits first, in float32 at least: losses need the digits."""
        outputs = self.discriminator(seen, labels, **inputs)
        outputs = outputs if outputs.ndim > 1 else outputs[:, None]
        return outputs.to(torch.promote_types(outputs.dtype, torch.float32))

    def draw(self, num: int) -> Tensor:
        """Latents (num, latent_dim) from this process's own training stream."""
        return self.prior((num, self.recipe.latent_dim), self.streams.noise)

    def sampler(self, weights: str | None = None) -> Sampler:
        """A generator with its prior; it shares the weights: the averaged (`ema`) ones where there are, or `raw`."""
        classes = self.hparams["num_classes"] if reads_labels(self.generator) else 0
        return Sampler.of(self.players["generator"], self.prior, self.recipe, classes, weights)

    # Lightning's hooks ---

    def setup(self, stage: str) -> None:
        """Refuse what this trainer cannot do, try a batch of one image where there is one, agree on the run's seed."""
        refuse_for_trainer(self, self.recipe)
        self.run_seed = self.trainer.strategy.broadcast(torch.initial_seed())
        self.seeds = Seeds.of(self.run_seed, self._given_seeds)
        if self.recipe.batch_size == self.trainer.world_size:
            try_a_single_image(self.recipe, self.generator, self.discriminator, self.prior)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """Generator's, then discriminator's; only the first moves `global_step`."""
        return make_optimizers([self.players[name] for name in PLAYERS], self.recipe.step_count == "shared"), []

    def on_fit_start(self) -> None:
        """Start the streams, or go on with them; a new run also takes from the data what the recipe wants of them."""
        self.streams = Streams(self.seeds, self.global_rank, self.device)
        self.streams.hand_to(self)
        part_processes(self.seeds, self.global_rank)
        if self._restored is not None:
            go_on(self, self._restored)
        elif self.recipe.output_bias == "marginals":
            networks = [network for network in (self.generator, self.average) if network is not None]
            set_output_biases(networks, getattr(self.trainer, "datamodule", None))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """At a resumed run's first batch: the global random state."""
        if self._restored is not None:
            go_on_at_the_first_batch(self, self._restored)
            self._restored = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state of the round and of the streams; collective over processes."""
        checkpoint[KEY] = state_of(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the round's state; the streams follow once their device is known."""
        self._restored = take_state(self, checkpoint)

    # The step ---

    def training_step(self, batch: tuple[Tensor, Labels], batch_idx: int) -> Outcome:
        """One batch: a D update, a G update or both, as the round says."""
        real, labels = self._received(batch)
        turn = self.round.next_turn(self.players["discriminator"].updates, lambda: self._accuracy(real, labels))
        together = turn.discriminator and turn.generator and self.recipe.updates == "simultaneous"
        scalars: dict[str, Tensor] = {}
        fake = None
        if turn.discriminator:
            latent = self.round.latent = self.draw(len(real))
            # With shared noise one pass of G serves both updates, so it has a graph.
            shared = turn.generator and self.recipe.latent == "shared" and self.recipe.fakes == "training"
            with torch.set_grad_enabled(shared), self._predicting():
                fake = self.generator(latent, labels)
            scalars |= self._update_discriminator(self._look(real, fake.detach(), labels, latent), step=not together)
            self.images_seen += len(real) * self.trainer.world_size
        if turn.generator:
            scalars |= self._update_generator(real, fake, labels, step=not together)
        if together:  # both gradients were taken at the same weights
            self._step("discriminator")  # before G's step, which moves the clock that schedules read
            self._step("generator")
        outcome = Outcome(updated=tuple(n for n, has in turn._asdict().items() if has), scalars=scalars)
        self.after_step(outcome)
        return outcome

    def _update_discriminator(self, look: Look, step: bool) -> dict[str, Tensor]:
        seen = look.seen_real, look.seen_fake  # what penalties see, too
        with self.toggled_optimizer(self._optimizer("discriminator")):
            if self.recipe.discriminator_update == "joint":
                judged = self.discriminator_loss(look)
                loss = self._descend("discriminator", judged.loss, *seen, look.labels, step)
                return judged._replace(loss=loss).scalars(self.loss.boundary)
            # D judges the fakes after it has learnt from the real images; losses are those before each update
            assert self.loss.halves is not None, "the recipe refuses others"
            losses, logits = [], []
            for half, images, latent in zip(self.loss.halves, seen, (None, look.latent), strict=True):
                outputs = self.judge(images, look.labels)
                loss = self._guided(half(outputs[:, :1]), outputs, look.labels, latent)
                losses.append(self._descend("discriminator", loss, *seen, look.labels, step))
                logits.append(outputs[:, :1])
            return Judged(losses[0] + losses[1], *logits).scalars(self.loss.boundary)

    def _update_generator(self, real: Tensor, fake: Tensor | None, labels: Labels, step: bool) -> dict:
        """`fake` with a graph, if D's update left one."""
        shared = self.round.latent if self.recipe.latent == "shared" else None
        frozen = batch_norms(self.discriminator) if self.recipe.frozen_batch_norm == "moving" else []
        with self.toggled_optimizer(self._optimizer("generator")), in_inference(frozen):
            latent = self.draw(len(real)) if shared is None else shared
            fake = fake if fake is not None and fake.requires_grad else self.generator(latent, labels)
            loss = self.generator_loss(self._look(real, fake, labels, latent))
            return {"loss/generator": self._descend("generator", loss, real, fake, labels, step)}

    def _descend(self, name: str, loss: Tensor, real: Tensor, fake: Tensor, labels: Labels, step: bool) -> Tensor:
        """Penalties and gradients of one player, then its step if it is due. The loss, detached."""
        loss = self.players[name].penalised(loss, real, fake, labels, self.streams.noise, self.global_step)
        self._optimizer(name).zero_grad()
        self.manual_backward(loss)
        if step:
            self._step(name)
        return loss.detach()

    def _step(self, name: str) -> None:
        """One step of a player's optimizer, at its scheduled values; only G's moves the clock."""
        player, optimizer, now = self.players[name], self._optimizer(name), self.global_step
        player.follow_schedules(optimizer.optimizer, now)
        if name == "generator":
            optimizer.step()
        else:  # through the strategy, since LightningOptimizer.step would count as a step of the clock
            self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)  # gradients are there already
            torch.clear_autocast_cache()  # of weights in bfloat16: this batch may go on with the new ones
        player.updates += 1
        if name == "generator" and player.averages:
            player.move_averages(self.recipe.number("ema_decay", now))
        if name == "discriminator" and (bound := self.recipe.number("weight_clip", now)):
            player.clip(bound)

    def _received(self, batch: tuple[Tensor, Labels]) -> tuple[Tensor, Labels]:
        """Real images in the range of G's output, and labels; a loss with a schedule takes this step's values."""
        images, labels = batch
        if labels is None and self._needs_labels:
            raise UserError("the batches hold no labels, which this recipe learns from; give (images, labels)")
        if "loss" in self.recipe.schedules:
            self.loss = self.recipe.objective(self.global_step)
        if "auxiliary" in self.recipe.schedules:
            self.auxiliary = self.recipe.auxiliary_loss(self.global_step)
        return to_range(images, self.real_range), labels

    def _look(self, real: Tensor, fake: Tensor, labels: Labels, latent: Tensor) -> Look:
        return Look(real, fake, labels, latent, lambda images: pack(self.augment(images), self.recipe.packing))

    def _judge_both(self, look: Look) -> tuple[Tensor, Tensor]:
        """D(x) and D(G(z)): in one pass where images do not affect each other, in two where D has batch statistics."""
        real, fake, labels = look.seen_real, look.seen_fake, look.labels
        if self._concatenates:
            both = self.judge(torch.cat([real, fake]), None if labels is None else torch.cat([labels, labels]))
            return both[: len(real)], both[len(real) :]
        return self.judge(real, labels), self.judge(fake, labels)

    def _guided(self, loss: Tensor, outputs: Tensor, labels: Labels, latent: Tensor | None) -> Tensor:
        """`loss` and that of D's auxiliary head, if it has one; `latent` of the fakes, None for real images."""
        return loss if self.auxiliary is None else loss + self.auxiliary.loss(outputs[:, 1:], labels, latent)

    @torch.no_grad()
    def _accuracy(self, real: Tensor, labels: Labels) -> float:
        """D's accuracy on a batch and fakes of their own, over all processes: the mean of both halves, in [0, 1]."""
        latent = self.draw(len(real))
        with self._predicting():
            judged = self.discriminator_loss(self._look(real, self.generator(latent, labels), labels, latent))
        told = judged.scalars(self.loss.boundary)
        mean = (told["accuracy/real"] + told["accuracy/fake"]) / 2
        return float(self.trainer.strategy.reduce(mean, reduce_op="mean"))

    def _predicting(self) -> AbstractContextManager[None]:
        """G in the mode in which it makes D's fakes."""
        return in_inference(self.generator.modules() if self.recipe.fakes == "inference" else [])

    def _optimizer(self, name: str) -> LightningOptimizer:
        return self.optimizers()[PLAYERS.index(name)]  # type: ignore[index]
