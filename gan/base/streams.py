"""Named random streams: each source of randomness has its own generator, seeded from the run's seed and its name."""

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def stream_seed(name: str, *parts: int) -> int:
    """A 63-bit seed for the stream `name`. Each tuple of parts (seed, rank, …) has its own, which never changes."""
    digest = hashlib.sha256(repr((name, *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(name: str, *parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device` for the stream `name`."""
    return torch.Generator(device).manual_seed(stream_seed(name, *parts))


class Streams:
    """The generators that training draws from, of one process."""

    def __init__(self, run_seed: int, rank: int, device: torch.device) -> None:
        self.noise = stream("training noise", run_seed, rank, device=device)  # latents, augmentations, penalties

    def state_dict(self, every_process: Callable[[Tensor], list[Tensor]]) -> dict[str, list[Tensor]]:
        """States by name and rank. `every_process` gives a tensor of each process, by rank."""
        return {name: every_process(generator.get_state()) for name, generator in vars(self).items()}

    def load_state_dict(self, state: Mapping[str, list[Tensor]], rank: int) -> None:
        """Go on where `state_dict` was taken; a stream that it does not name starts anew."""
        for name, states in state.items():
            vars(self)[name].set_state(states[rank])


def global_random_state(device: torch.device) -> Tensor:
    """State of torch's global generator on this device, from which dropout draws."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_global_random_state(state: Tensor, device: torch.device) -> None:
    """Restore a state that `global_random_state` returned on a device of this kind."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
