"""What passes between the game, a variant's own losses and the callbacks."""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, TypedDict

from torch import Tensor


class Outcome(TypedDict):
    """What a training step did. Callbacks get it as `outputs`."""

    updated: tuple[str, ...]  # the players that had an update: `discriminator`, `generator`
    scalars: dict[str, Tensor]  # detached, still on the device, by TensorBoard's tag


class Look:
    """What a loss is a function of: a batch of real images and as many fakes.

    `real` and `fake` are (N, C, H, W) in the range of G's output. In D's update `fake` has no gradient. `seen_real` and
    `seen_fake` are the same images as D sees them: augmented, then `packing` of them as one.
    """

    def __init__(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, latent: Tensor, see: Callable[[Tensor], Tensor]
    ) -> None:
        self.real, self.fake = real, fake
        self.labels = labels  # (N,) int64, of both: fakes have the labels of the real batch
        self.latent = latent  # (N, latent_dim), of the fakes
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
    """D's loss on a look, with the logits (N, 1) that it came from; None where there are no logits of that kind."""

    loss: Tensor
    real_logits: Tensor | None
    fake_logits: Tensor | None

    def scalars(self, boundary: float | None) -> dict[str, Tensor]:
        """The loss, mean probabilities and, where a boundary tells real from fake, accuracies; detached."""
        found = {"loss/discriminator": self.loss.detach()}
        for kind, logits in (("real", self.real_logits), ("fake", self.fake_logits)):
            if logits is not None:
                found[f"probability/{kind}"] = logits.detach().sigmoid().mean()
                if boundary is not None:
                    right = logits.detach() > boundary if kind == "real" else logits.detach() < boundary
                    found[f"accuracy/{kind}"] = right.float().mean()
        return found
