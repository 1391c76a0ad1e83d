"""Round: whose turn it is, and what lasts from one batch of a round to the next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from gan.base.choices import is_number
from gan.base.errors import UserError

if TYPE_CHECKING:
    from gan.engine.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Train only the weaker network until it is strong enough (001, "The Training Process", point 3).

    Before each batch D's accuracy on it (the mean of both halves, in [0, 1]) decides: below `low` only D is updated,
    above `high` only G. After `patience` one-sided batches in a row both are, so that training cannot stand still.
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
    """Who is updated on a batch."""

    discriminator: bool
    generator: bool


class Round:
    """A round has `d_steps` D updates, a batch each, then `g_steps` G updates.

    The first G update follows the last D update on the same batch. So a batch has at most one G update, the clock
    passes every number, and nothing overshoots `max_steps`.
    """

    def __init__(self, recipe: "Recipe") -> None:
        self.recipe = recipe
        self.position = 0  # among the d_steps + g_steps - 1 batches of the round
        self.one_sided = 0  # batches in a row that `balance` gave to one network
        self.latent: Tensor | None = None  # of the last D update; later G updates may share it

    def next_turn(self, discriminator_updates: int, accuracy: Callable[[], float]) -> Turn:
        """The turn of the coming batch. `accuracy` measures D on it, in [0, 1]; it is called only under `balance`."""
        if discriminator_updates < self.recipe.pretraining:
            return Turn(discriminator=True, generator=False)
        d_steps, g_steps, position = self.recipe.d_steps, self.recipe.g_steps, self.position
        self.position = (position + 1) % (d_steps + g_steps - 1)
        balance = self.recipe.balance
        if balance is None:
            return Turn(discriminator=position < d_steps, generator=position >= d_steps - 1)
        measured = accuracy()
        one_sided = not balance.low <= measured <= balance.high and self.one_sided < balance.patience
        self.one_sided = self.one_sided + 1 if one_sided else 0
        turn = Turn(not one_sided or measured < balance.low, not one_sided or measured > balance.high)
        if not turn.discriminator:
            self.latent = None  # a batch of G alone has noise of its own
        return turn

    def state_dict(self, every_process: Callable[[Tensor], list[Tensor]]) -> dict[str, Any]:
        """Plain values and tensors. `every_process` gives a tensor of each process, by rank."""
        within = self.position and self.latent is not None  # only the rest of a round looks at its latent again
        latent = every_process(self.latent) if within and self.latent is not None else None
        return {"position": self.position, "one_sided": self.one_sided, "latent": latent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken; the latent follows by `load_latent`, once its device is known."""
        self.position, self.one_sided = state["position"], state["one_sided"]

    def load_latent(self, state: dict[str, Any], rank: int, device: Any) -> None:
        """The latent of this process."""
        if state["latent"] is not None:
            self.latent = state["latent"][rank].to(device)
