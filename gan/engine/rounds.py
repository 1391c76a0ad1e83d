"""Round: decides whose turn it is, and keeps what one batch of a round leaves for the next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from gan.base.choices import is_number
from gan.base.errors import UserError

if TYPE_CHECKING:
    from gan.engine.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Trains only the weaker network until it is strong enough (001, "The Training Process", point 3).

    Before each batch D's accuracy on that batch is measured: the mean of its accuracies on real images and on fakes, in
    [0, 1]. Below `low` only D is updated, above `high` only G. Otherwise, and after `patience` batches in a row that it
    gave to one network alone, the round of `d_steps` and `g_steps` goes on, so that training cannot stand still.
    """

    low: float
    high: float
    patience: int = 10

    def __post_init__(self) -> None:
        if not all(is_number(value) for value in (self.low, self.high, self.patience)):
            raise UserError(f"recipe: balance needs numbers low, high and patience, got {self}")
        if not (0 <= self.low <= self.high <= 1 and self.patience >= 1):
            raise UserError(f"recipe: balance needs 0 <= low <= high <= 1 and patience >= 1, got {self}")


class Turn(NamedTuple):
    """Which players are updated on a batch."""

    discriminator: bool
    generator: bool


class Round:
    """Counts the batches of a round. A round has `d_steps` D updates on a batch each, then `g_steps` G updates.

    The first G update follows the last D update on the same batch. So a batch has at most one G update. The clock then
    passes every number, and nothing overshoots `max_steps`.
    """

    def __init__(self, recipe: "Recipe") -> None:
        self.recipe = recipe
        self.position = 0  # of the coming batch among the d_steps + g_steps - 1 batches of a round
        self.one_sided = 0  # number of last batches in a row that `balance` gave to one network alone
        self.latent: Tensor | None = None  # the last D update's, which later G updates may share

    def next_turn(self, discriminator_updates: int, accuracy: Callable[[], float]) -> Turn:
        """Return the turn of the coming batch. `accuracy` measures D on it; only a recipe with `balance` calls it."""
        if discriminator_updates < self.recipe.pretraining:
            return Turn(discriminator=True, generator=False)
        balance = self.recipe.balance
        if balance is not None:
            measured = accuracy()
            one_sided = not balance.low <= measured <= balance.high and self.one_sided < balance.patience
            self.one_sided = self.one_sided + 1 if one_sided else 0
            if one_sided:
                if measured > balance.high:
                    self.latent = None  # a batch that is given to G alone has noise of its own
                return Turn(discriminator=measured < balance.low, generator=measured > balance.high)
        d_steps, g_steps, position = self.recipe.d_steps, self.recipe.g_steps, self.position
        self.position = (position + 1) % (d_steps + g_steps - 1)
        return Turn(discriminator=position < d_steps, generator=position >= d_steps - 1)

    def state_dict(self, every_process: Callable[[Tensor], list[Tensor]]) -> dict[str, Any]:
        """Return plain values and tensors. `every_process` collects a tensor from all processes, by rank."""
        within = self.position and self.latent is not None  # the latent is needed again only within its round
        latent = every_process(self.latent) if within and self.latent is not None else None
        return {"position": self.position, "one_sided": self.one_sided, "latent": latent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the state that `state_dict` gave, but for the latent: see `load_latent`."""
        self.position, self.one_sided = state["position"], state["one_sided"]

    def load_latent(self, state: dict[str, Any], rank: int, device: Any) -> None:
        """Set the latent of this process from the state. Its device is known later than the rest of the state."""
        if state["latent"] is not None:
            self.latent = state["latent"][rank].to(device)

    def share_latent(self, state: dict[str, Any], rank: int, world_size: int, device: Any) -> None:
        """Set this process's part of the latents, where another number of processes goes on."""
        if state["latent"] is not None:
            self.latent = torch.cat(list(state["latent"])).chunk(world_size)[rank].to(device)
