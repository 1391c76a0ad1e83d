"""Seeds: of a run, and of each source of randomness in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gan.base.choices import nearest
from gan.base.errors import UserError, whole

MAX_SEED = 2**32 - 1  # what NumPy's global generator takes, which Lightning seeds, too


@dataclass(frozen=True)
class Seeds:
    """Seeds of the sources of randomness in training. With one fixed alone, a score's spread leaves its share out."""

    init: int  # initial weights
    order: int  # of the real images
    noise: int  # latents, augmentations, penalties
    dropout: int  # masks

    @classmethod
    def of(cls, run_seed: int, given: Mapping[str, Any] | None = None) -> "Seeds":
        """The run's seed for each source but for those given, where None stands for the run's."""
        checked = cls.checked(given or {})
        return cls(**{name: run_seed if checked[name] is None else checked[name] for name in checked})

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is given for each source, None where nothing is. UserError for what is no source or no seed."""
        names = tuple(cls.__dataclass_fields__)
        for name, seed in given.items():
            if name not in names:
                raise UserError(f"unknown key {f'seeds.{name}'!r}; {nearest(name, names)}")
            if seed is not None:
                whole(seed, f"seeds.{name}", most=MAX_SEED)
        return {name: given.get(name) for name in names}

    def to_dict(self) -> dict[str, int]:
        """Plain values."""
        return asdict(self)
