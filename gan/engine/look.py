"""Types that the game hands to a variant's losses and to callbacks: Look, Judged, Outcome."""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, TypedDict

from torch import Tensor

from gan.base.errors import UserError

Labels = Tensor | None  # (N,) int64


class Outcome(TypedDict):
    """What a training step did. Callbacks get this as `outputs`."""

    updated: tuple[str, ...]  # names of the players that had an update: `discriminator`, `generator`
    scalars: dict[str, Tensor]  # TensorBoard's tag -> detached tensor, still on the device


class Look:
    """A batch of real images and as many fakes, on which a loss is computed.

    `real` and `fake` are (N, C, H, W) in the range of G's output. In D's update `fake` has no gradient. `seen_real` and
    `seen_fake` are the same images as D sees them: augmented, then packed, `packing` images as one.
    """

    def __init__(
        self, real: Tensor, fake: Tensor, labels: Labels, latent: Tensor, see: Callable[[Tensor], Tensor]
    ) -> None:
        self.real, self.fake = real, fake
        self.labels = labels  # (N,) int64; the fakes have the labels of the real images
        self.latent = latent  # (N, latent_dim), from which G made the fakes
        self._see = see

    @cached_property
    def seen_real(self) -> Tensor:
        """The real images as D sees them."""
        return self._see(self.real)

    @cached_property
    def seen_fake(self) -> Tensor:
        """The fakes as D sees them."""
        return self._see(self.fake)


class Judged(NamedTuple):
    """D's loss on a look, with the logits (N, 1) that it came from. Logits are None where D gave none of that kind."""

    loss: Tensor
    real_logits: Tensor | None
    fake_logits: Tensor | None

    def scalars(self, boundary: float | None) -> dict[str, Tensor]:
        """Return detached scalars by tag: the loss, mean probabilities and, if there is a boundary, accuracies."""
        found = {"loss/discriminator": self.loss.detach()}
        for kind, logits in (("real", self.real_logits), ("fake", self.fake_logits)):
            if logits is not None:
                found[f"probability/{kind}"] = logits.detach().sigmoid().mean()
                if boundary is not None:
                    right = logits.detach() > boundary if kind == "real" else logits.detach() < boundary
                    found[f"accuracy/{kind}"] = right.float().mean()
        return found

    def accuracy(self, boundary: float | None) -> Tensor:
        """Return the share of right answers, the mean of that on real images and that on fakes.

        UserError where there are no logits of both kinds.
        """
        told = self.scalars(boundary)
        if not {"accuracy/real", "accuracy/fake"} <= told.keys():
            raise UserError("recipe.balance: needs D's logits, and this variant's discriminator_loss returns none")
        return (told["accuracy/real"] + told["accuracy/fake"]) / 2
