"""The rule that trains the weaker network only."""

from dataclasses import dataclass

from gan.base.choices import is_number
from gan.base.errors import UserError


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
