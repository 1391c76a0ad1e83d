"""AdversarialModule: the game of a generator and a discriminator, with its only training step."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

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
from gan.engine.first_batch import refuse_first_batch
from gan.engine.look import Judged, Labels, Look, Outcome
from gan.engine.players import PLAYERS, Player, make_optimizers
from gan.engine.quick import QuickModule
from gan.engine.recipe import Recipe
from gan.engine.rounds import Round
from gan.engine.sampling import Sampler, in_inference
from gan.engine.saving import KEY, go_on, go_on_at_the_first_batch, state_of, take_state
from gan.parts.networks.layers import batch_norms, has_batch_statistics


class AdversarialModule(QuickModule):
    """A GAN: a generator, a discriminator and the rules of their game, all from the recipe.

    Batches are (images, labels). Images are (N, C, H, W), uint8 or float in [0, 1]. `global_step` counts G updates.
    A subclass is a variant. It sets `defaults`. It may override what its players minimise (`discriminator_loss`,
    `generator_loss`), what D sees (`augment`) and what happens after a step (`after_step`). Its constructor may give a
    player further networks (`add_modules`).

    Args:
        recipe: a recipe, or a mapping of its values, as checkpoints hold it. By default the variant's `defaults`.
        image_shape: (C, H, W) of the data. UserError if a network cannot make such images.
        num_classes: number of classes of the data, 0 if it has no labels.
        seeds: seeds of `init`, `order`, `noise` or `dropout`. The default of each is PyTorch's initial seed, the run's.
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
        self.recipe = Recipe.of(self.defaults if recipe is None else recipe, type(self).__name__)
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
            "generator": Player("generator", self.generator, self.recipe, averaged=self.recipe.averages),
            "discriminator": Player("discriminator", self.discriminator, self.recipe),
        }
        self.average = self.players["generator"].averages.get("generator")
        self.round = Round(self.recipe)
        self.images_seen = 0  # number of real images that D was trained on, over all processes
        self.output_range: tuple[float, float] = self.generator.output_range  # type: ignore[assignment]
        self.real_range = (0.0, 1.0) if self.recipe.real_range == "unit" else self.output_range
        self.prior = self.recipe.resolve("prior")
        self.loss = self.recipe.objective()
        self.auxiliary = self.recipe.auxiliary_loss()
        self.augmenters = self.recipe.augmenters()
        self.needs_labels = any(map(reads_labels, self.children())) or names_classes(self.recipe)
        self._concatenates = not has_batch_statistics(self.discriminator)
        self._restored: dict[str, Any] | None = None  # a checkpoint's state, kept until the first batch
        self.other_world_size, self.world_size_before = False, 0  # see `refuse_other_world_size`; 0: as many
        halved = self.recipe.discriminator_update == "real_then_fake"
        if halved and type(self).discriminator_loss is not AdversarialModule.discriminator_loss:
            raise UserError("recipe.discriminator_update: real_then_fake halves the recipe's loss; here D has its own")

    # For variants ---

    def add_modules(self, player: str, **modules: nn.Module) -> None:
        """Give a player further modules, which become attributes of the variant. Its constructor calls this.

        They are initialised, trained, averaged, saved and resumed as the player's network is. Those of the generator
        are also in its snapshots and in the `further` of its `Sampler`.
        """
        for name, module in modules.items():
            if hasattr(self, name):
                raise UserError(f"add_modules: {name!r} is an attribute of every variant; choose another name")
            setattr(self, name, module)
            with drawing_from(f"initial weights of {name}", self.seeds.init):
                setattr(self, f"average_{name}", self.players[player].add(name, module))

    def discriminator_loss(self, look: Look) -> Judged:
        """Return what D minimises, before penalties: the recipe's loss and that of an auxiliary head, with logits."""
        on_real, on_fake = self._judge_both(look)
        loss = self.loss.discriminator(on_real[:, :1], on_fake[:, :1])
        loss = self._guided(self._guided(loss, on_real, look.labels, None), on_fake, look.labels, look.latent)
        return Judged(loss, on_real[:, :1], on_fake[:, :1])

    def generator_loss(self, look: Look) -> Tensor:
        """Return what G minimises, before penalties: the recipe's loss and that of an auxiliary head."""
        on_fake = self.judge(look.seen_fake, look.labels)
        on_real = self.judge(look.seen_real, look.labels) if self.loss.generator_reads_real else on_fake
        return self._guided(self.loss.generator(on_real[:, :1], on_fake[:, :1]), on_fake, look.labels, look.latent)

    def augment(self, images: Tensor) -> Tensor:
        """Return images (N, C, H, W) as D is to see them, in the same shape. Called for real images and for fakes."""
        for augment in self.augmenters:
            images = augment(images, self.streams.noise, self.global_step)
        return images

    def after_step(self, outcome: Outcome) -> None:
        """Called at the end of every step, to move state with the steps. Buffers are saved and resumed."""

    def judge(self, seen: Tensor, labels: Labels, **inputs: Tensor) -> Tensor:
        """Return D's outputs (N, 1 + K), the logit first, in float32 or better, since losses need the digits."""
        outputs = self.discriminator(seen, labels, **inputs)
        outputs = outputs if outputs.ndim > 1 else outputs[:, None]
        return outputs.to(torch.promote_types(outputs.dtype, torch.float32))

    def draw(self, num: int) -> Tensor:
        """Return latents (num, latent_dim), drawn from this process's noise stream."""
        return self.prior((num, self.recipe.latent_dim), self.streams.noise)

    def sampler(self, weights: str | None = None) -> Sampler:
        """Return a sampler that shares G's weights: `raw` or `ema`, by default `ema` if the recipe keeps them."""
        classes = self.hparams["num_classes"] if reads_labels(self.generator) else 0
        return Sampler.of(self.players["generator"], self.prior, self.recipe, classes, weights)

    # Lightning's hooks ---

    def setup(self, stage: str) -> None:
        """Refuse what the trainer cannot do, agree on the run's seed, and try one image where batches have one."""
        refuse_for_trainer(self.trainer, self, self.recipe)
        self.run_seed = self.trainer.strategy.broadcast(torch.initial_seed())
        self.seeds = Seeds.of(self.run_seed, self._given_seeds)
        if self.recipe.batch_size == self.trainer.world_size:
            try_a_single_image(self.recipe, self.generator, self.discriminator, self.prior)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """Return G's optimizer, then D's. Only steps of the first move `global_step`."""
        return make_optimizers([self.players[name] for name in PLAYERS], self.recipe.step_count == "shared"), []

    def on_fit_start(self) -> None:
        """Start the streams. A resumed run restores them; a new run may set G's output bias from the data."""
        self.streams, self._checked = Streams(self.seeds, self.global_rank, self.device), False
        self.streams.hand_to(self)
        part_processes(self.seeds, self.run_seed, self.global_rank)
        if self._restored is not None:
            go_on(self, self._restored)
        elif self.recipe.output_bias == "marginals":
            networks = [network for network in (self.generator, self.average) if network is not None]
            set_output_biases(networks, getattr(self.trainer, "datamodule", None))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Check the first batch. Restore the global random state at that of a resumed run."""
        if not self._checked:
            refuse_first_batch(self, batch)
            self._checked = True
        if self._restored is not None:
            go_on_at_the_first_batch(self, self._restored)
            self._restored = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state of the game to a checkpoint. All processes must call this."""
        checkpoint[KEY] = state_of(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the state of the round. The streams are restored later, when their device is known."""
        self._restored = take_state(self, checkpoint)

    # The step ---

    def training_step(self, batch: tuple[Tensor, Labels], batch_idx: int) -> Outcome:
        """Train on one batch, with a D update, a G update or both. The round decides which."""
        real, labels = self._received(batch)
        turn = self.round.next_turn(self.players["discriminator"].updates, lambda: self._accuracy(real, labels))
        together = turn.discriminator and turn.generator and self.recipe.updates == "simultaneous"
        scalars: dict[str, Tensor] = {}
        fake = None
        if turn.discriminator:
            latent = self.round.latent = self.draw(len(real))
            # With shared noise one pass of G serves both updates. It then keeps its graph for G's update.
            shared = turn.generator and self.recipe.latent == "shared" and self.recipe.fakes == "training"
            with torch.set_grad_enabled(shared), self._predicting():
                fake = self.generator(latent, labels)
            scalars |= self._update_discriminator(self._look(real, fake.detach(), labels, latent), step=not together)
            self.images_seen += len(real) * self.trainer.world_size
        if turn.generator:
            scalars |= self._update_generator(real, fake, labels, step=not together)
        if together:  # both gradients were taken at the same weights
            self._step("discriminator")  # D first, since G's step moves the clock that schedules follow
            self._step("generator")
        outcome = Outcome(updated=tuple(n for n, has in turn._asdict().items() if has), scalars=scalars)
        self.after_step(outcome)
        return outcome

    def _update_discriminator(self, look: Look, step: bool) -> dict[str, Tensor]:
        seen = look.seen_real, look.seen_fake  # penalties get these, too
        with self.toggled_optimizer(self._optimizer("discriminator")):
            if self.recipe.discriminator_update == "joint":
                judged = self.discriminator_loss(look)
                loss = self._descend("discriminator", judged.loss, *seen, look.labels, step)
                return judged._replace(loss=loss).scalars(self.loss.boundary)
            # D judges the fakes after its update on the real images. Each loss is taken before its own update.
            assert self.loss.halves is not None, "the recipe refuses others"
            losses, logits = [], []
            for half, images, latent in zip(self.loss.halves, seen, (None, look.latent), strict=True):
                outputs = self.judge(images, look.labels)
                loss = self._guided(half(outputs[:, :1]), outputs, look.labels, latent)
                losses.append(self._descend("discriminator", loss, *seen, look.labels, step))
                logits.append(outputs[:, :1])
            return Judged(losses[0] + losses[1], *logits).scalars(self.loss.boundary)

    def _update_generator(self, real: Tensor, fake: Tensor | None, labels: Labels, step: bool) -> dict:
        """Update G. `fake` is used if D's update left it with a graph; otherwise G makes new fakes."""
        shared = self.round.latent if self.recipe.latent == "shared" else None
        frozen = batch_norms(self.discriminator) if self.recipe.frozen_batch_norm == "moving" else []
        with self.toggled_optimizer(self._optimizer("generator")), in_inference(frozen):
            latent = self.draw(len(real)) if shared is None else shared
            fake = fake if fake is not None and fake.requires_grad else self.generator(latent, labels)
            loss = self.generator_loss(self._look(real, fake, labels, latent))
            return {"loss/generator": self._descend("generator", loss, real, fake, labels, step)}

    def _descend(self, name: str, loss: Tensor, real: Tensor, fake: Tensor, labels: Labels, step: bool) -> Tensor:
        """Add penalties, take a player's gradients and, with `step`, do its step. Returns the detached loss."""
        loss = self.players[name].penalised(loss, real, fake, labels, self.streams.noise, self.global_step)
        self._optimizer(name).zero_grad()
        self.manual_backward(loss)
        if step:
            self._step(name)
        return loss.detach()

    def _step(self, name: str) -> None:
        """Do one step of a player's optimizer with its scheduled values. Only G's step moves the clock."""
        player, optimizer, now = self.players[name], self._optimizer(name), self.global_step
        player.follow_schedules(optimizer.optimizer, now)
        if name == "generator":
            optimizer.step()
        else:  # through the strategy, since a step of LightningOptimizer would move the clock
            self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)  # the gradients exist already
            torch.clear_autocast_cache()  # it holds the old weights in bfloat16; G's update needs the new ones
        player.updates += 1
        if name == "generator" and player.averages:
            player.move_averages(self.recipe.number("ema_decay", now))
        if name == "discriminator" and (bound := self.recipe.number("weight_clip", now)):
            player.clip(bound)

    def _received(self, batch: tuple[Tensor, Labels]) -> tuple[Tensor, Labels]:
        """Return scaled real images, and labels. Losses with a schedule are set to their values at this step."""
        images, labels = batch
        if "loss" in self.recipe.schedules:
            self.loss = self.recipe.objective(self.global_step)
        if "auxiliary" in self.recipe.schedules:
            self.auxiliary = self.recipe.auxiliary_loss(self.global_step)
        return to_range(images, self.real_range), labels

    def _look(self, real: Tensor, fake: Tensor, labels: Labels, latent: Tensor) -> Look:
        return Look(real, fake, labels, latent, lambda images: pack(self.augment(images), self.recipe.packing))

    def _judge_both(self, look: Look) -> tuple[Tensor, Tensor]:
        """Return D(x) and D(G(z)), computed in one pass, or in two if D has batch statistics."""
        real, fake, labels = look.seen_real, look.seen_fake, look.labels
        if self._concatenates:
            both = self.judge(torch.cat([real, fake]), None if labels is None else torch.cat([labels, labels]))
            return both[: len(real)], both[len(real) :]
        return self.judge(real, labels), self.judge(fake, labels)

    def _guided(self, loss: Tensor, outputs: Tensor, labels: Labels, latent: Tensor | None) -> Tensor:
        """Return `loss` plus that of D's auxiliary head, if it has one. `latent` is None for real images."""
        return loss if self.auxiliary is None else loss + self.auxiliary.loss(outputs[:, 1:], labels, latent)

    @torch.no_grad()
    def _accuracy(self, real: Tensor, labels: Labels) -> float:
        """Return D's accuracy on a batch and on new fakes: the mean of the two, over all processes."""
        latent = self.draw(len(real))
        with self._predicting():
            judged = self.discriminator_loss(self._look(real, self.generator(latent, labels), labels, latent))
        return float(self.trainer.strategy.reduce(judged.accuracy(self.loss.boundary), reduce_op="mean"))

    def _predicting(self) -> AbstractContextManager[None]:
        """Put G in the mode in which it makes fakes for D."""
        return in_inference(self.generator.modules() if self.recipe.fakes == "inference" else [])

    def _optimizer(self, name: str) -> LightningOptimizer:
        return self.optimizers()[PLAYERS.index(name)]  # type: ignore[index]
