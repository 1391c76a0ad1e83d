"""Named random streams: each source of randomness has its own generator, seeded from the run's seed and its name."""

import hashlib

import torch
from torch import Tensor


def stream_seed(name: str, *parts: int) -> int:
    """A 63-bit seed for the stream `name`. Each tuple of parts (seed, rank, …) has its own, which never changes."""
    digest = hashlib.sha256(repr((name, *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(name: str, *parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device` for the stream `name`."""
    return torch.Generator(device).manual_seed(stream_seed(name, *parts))


def global_random_state(device: torch.device) -> Tensor:
    """State of torch's global generator on this device, from which dropout draws."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_global_random_state(state: Tensor, device: torch.device) -> None:
    """Restore a state that `global_random_state` returned on a device of this kind."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
