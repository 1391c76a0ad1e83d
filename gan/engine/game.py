"""AdversarialModule: the game of a generator and a discriminator, with its only training step."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.base.errors import UserError
from gan.base.images import to_range
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
from gan.engine.look import Labels, Look, Outcome
from gan.engine.objectives import Objectives
from gan.engine.players import PLAYERS, Player, make_optimizers
from gan.engine.recipe import Recipe
from gan.engine.rounds import Round
from gan.engine.sampling import Sampler, in_inference
from gan.engine.saving import KEY, go_on, go_on_at_the_first_batch, state_of, take_state
from gan.parts.networks.layers import batch_norms, has_batch_statistics


class AdversarialModule(Objectives):
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
        self._concatenates = self.recipe.discriminator_batches == "mixed" or not has_batch_statistics(
            self.discriminator
        )
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
        """Train on one batch, with a D update, a G update or both. The round decides which.

        What reads weights, images or random numbers goes through `_each`: a stack of copies does it for each copy.
        """
        real, labels = self._received(batch)
        turn = self.round.next_turn(self.players["discriminator"].updates, lambda: self._accuracy(real, labels))
        together = turn.discriminator and turn.generator and self.recipe.updates == "simultaneous"
        scalars: dict[str, Tensor] = {}
        fake = None
        if turn.discriminator:
            latent = self.round.latent = self._each(self._latent_for, real)
            # With shared noise one pass of G serves both updates. It then keeps its graph for G's update.
            shared = turn.generator and self.recipe.latent == "shared" and self.recipe.fakes == "training"
            with torch.set_grad_enabled(shared), self._predicting():
                fake = self._each(self.generator, latent, labels)
            scalars |= self._update_discriminator(real, fake.detach(), labels, latent, step=not together)
            self.images_seen += real.shape[-4] * self.trainer.world_size
        if turn.generator:
            scalars |= self._update_generator(real, fake, labels, step=not together)
        if together:  # both gradients were taken at the same weights
            self._step("discriminator")  # D first, since G's step moves the clock that schedules follow
            self._step("generator")
        if self.trainer.world_size > 1:
            self._share_statistics()
        outcome = Outcome(updated=tuple(n for n, has in turn._asdict().items() if has), scalars=scalars)
        outcome["scalars"] = self._each(partial(self._ended, outcome["updated"]), scalars)
        return outcome

    def _each(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """Return what a function of one copy's tensors returns. A stack returns the stack of what each copy gets."""
        return function(*inputs)

    def _update_discriminator(self, real: Tensor, fake: Tensor, labels: Labels, latent: Tensor, step: bool) -> dict:
        with self.toggled_optimizer(self._optimizer("discriminator")):
            if self.recipe.discriminator_update == "joint":
                return self._descend("discriminator", self._judged, step, real, fake, labels, latent)
            # D judges the fakes after its update on the real images. Each loss is taken before its own update.
            seen = self._each(self._both_seen, real, fake)
            on_real = self._descend("discriminator", partial(self._half_judged, 0), step, *seen, labels, None)
            on_fake = self._descend("discriminator", partial(self._half_judged, 1), step, *seen, labels, latent)
            total = on_real["loss/discriminator"] + on_fake["loss/discriminator"]
            return on_real | on_fake | {"loss/discriminator": total}

    def _update_generator(self, real: Tensor, fake: Tensor | None, labels: Labels, step: bool) -> dict:
        """Update G. `fake` is used if D's update left it with a graph; otherwise G makes new fakes."""
        shared = self.round.latent if self.recipe.latent == "shared" else None
        frozen = batch_norms(self.discriminator) if self.recipe.frozen_batch_norm == "moving" else []
        with self.toggled_optimizer(self._optimizer("generator")), in_inference(frozen):
            latent = self._each(self._latent_for, real) if shared is None else shared
            if fake is None or not fake.requires_grad:
                fake = self._each(self.generator, latent, labels)
            return self._descend("generator", self._deceived, step, real, fake, labels, latent)

    def _descend(self, name: str, objective: Callable[..., Any], step: bool, *inputs: Any) -> dict[str, Tensor]:
        """Take a player's gradients of its objective and, with `step`, do its step. Return what is told of the loss."""
        loss, scalars = self._each(objective, *inputs)
        self._optimizer(name).zero_grad()
        self.manual_backward(loss.sum() if loss.ndim else loss)  # in a sum over copies each has its own gradient
        if step:
            self._step(name)
        return scalars

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

    @torch.no_grad()
    def _share_statistics(self) -> None:
        """Set batch norm's moving statistics to their means over the processes, so that all have those of the batch.

        DDP would copy the first process's, but does so no more after the first step of a manual optimization.
        """
        moving = [b for norm in batch_norms(self) for b in (norm.running_mean, norm.running_var) if b is not None]
        if moving:
            shared = self.trainer.strategy.reduce(torch.cat(moving), reduce_op="mean")
            for own, mean in zip(moving, shared.split([len(b) for b in moving]), strict=True):
                own.copy_(mean)

    def _received(self, batch: tuple[Tensor, Labels]) -> tuple[Tensor, Labels]:
        """Return scaled real images, and labels. Losses with a schedule are set to their values at this step."""
        images, labels = batch
        if "loss" in self.recipe.schedules:
            self.loss = self.recipe.objective(self.global_step)
        if "auxiliary" in self.recipe.schedules:
            self.auxiliary = self.recipe.auxiliary_loss(self.global_step)
        return to_range(images, self.real_range), labels

    @torch.no_grad()
    def _accuracy(self, real: Tensor, labels: Labels) -> float:
        """Return D's accuracy on a batch and on new fakes: the mean of the two, over all processes."""
        latent = self.draw(len(real))
        with self._predicting():
            judged = self.discriminator_loss(Look(real, self.generator(latent, labels), labels, latent, self._seen))
        return float(self.trainer.strategy.reduce(judged.accuracy(self.loss.boundary), reduce_op="mean"))

    def _predicting(self) -> AbstractContextManager[None]:
        """Put G in the mode in which it makes fakes for D."""
        return in_inference(self.generator.modules() if self.recipe.fakes == "inference" else [])

    def _optimizer(self, name: str) -> LightningOptimizer:
        return self.optimizers()[PLAYERS.index(name)]  # type: ignore[index]
