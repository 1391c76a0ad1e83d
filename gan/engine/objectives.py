"""Objectives: what one copy of a game computes. A stack of copies does all of it for each copy."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gan.base.images import pack
from gan.base.streams import Streams
from gan.engine.look import Judged, Labels, Look, Outcome
from gan.engine.players import Player
from gan.engine.quick import QuickModule
from gan.engine.recipe import Recipe
from gan.parts.auxiliaries import Auxiliary
from gan.parts.losses import Loss


class Objectives(QuickModule):
    """Latents, what D sees, the losses of both players and their penalties.

    All of it are functions of one copy's weights, images and random numbers. The step calls them through `_each`. So a
    variant's hooks never see that there are other copies.
    """

    recipe: Recipe
    players: dict[str, Player]
    streams: Streams
    prior: Callable[..., Tensor]
    loss: Loss
    auxiliary: Auxiliary | None
    augmenters: list[Callable[..., Any]]
    discriminator: nn.Module
    _concatenates: bool  # whether D judges real images and fakes in one pass

    # For variants ---

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

    # For the step ---

    def _latent_for(self, real: Tensor) -> Tensor:
        return self.draw(len(real))

    def _both_seen(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return real images and fakes as D sees them."""
        return self._seen(real), self._seen(fake)

    def _seen(self, images: Tensor) -> Tensor:
        return pack(self.augment(images), self.recipe.packing)

    def _judged(self, real: Tensor, fake: Tensor, labels: Labels, latent: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return D's loss with its penalties, and what is told of it."""
        look = Look(real, fake, labels, latent, self._seen)
        seen = look.seen_real, look.seen_fake  # penalties get these, too
        judged = self.discriminator_loss(look)
        loss = self._penalised("discriminator", judged.loss, *seen, labels)
        return loss, judged._replace(loss=loss).scalars(self.loss.boundary)

    def _half_judged(self, half: int, seen_real: Tensor, seen_fake: Tensor, labels: Labels, latent: Any) -> Any:
        """Do the same for D's loss on the real images (half 0) or on the fakes (half 1)."""
        assert self.loss.halves is not None, "the recipe refuses others"
        outputs = self.judge((seen_real, seen_fake)[half], labels)
        loss = self._guided(self.loss.halves[half](outputs[:, :1]), outputs, labels, latent)
        loss = self._penalised("discriminator", loss, seen_real, seen_fake, labels)
        logits = (outputs[:, :1], None) if half == 0 else (None, outputs[:, :1])
        return loss, Judged(loss, *logits).scalars(self.loss.boundary)

    def _deceived(self, real: Tensor, fake: Tensor, labels: Labels, latent: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return G's loss with its penalties, and what is told of it."""
        loss = self.generator_loss(Look(real, fake, labels, latent, self._seen))
        loss = self._penalised("generator", loss, real, fake, labels)
        return loss, {"loss/generator": loss.detach()}

    def _penalised(self, name: str, loss: Tensor, real: Tensor, fake: Tensor, labels: Labels) -> Tensor:
        return self.players[name].penalised(loss, real, fake, labels, self.streams.noise, self.global_step)

    def _ended(self, updated: tuple[str, ...], scalars: dict[str, Tensor]) -> dict[str, Tensor]:
        """Call `after_step`, and return the scalars with those that it adds."""
        outcome = Outcome(updated=updated, scalars=scalars)
        self.after_step(outcome)
        return outcome["scalars"]

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
