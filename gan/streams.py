"""Named random streams: each source of randomness has its own generator, seeded from the run's seed and its name."""

import hashlib

import torch


def stream_seed(name: str, *parts: int) -> int:
    """A 63-bit seed for the stream `name`, distinct for each tuple of parts (seed, rank, …) and stable for ever."""
    digest = hashlib.sha256(repr((name, *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(name: str, *parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device` for the stream `name`."""
    return torch.Generator(device).manual_seed(stream_seed(name, *parts))
