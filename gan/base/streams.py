"""Named random streams: each source of randomness has its own generator, seeded from a seed of its own and its name."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn

from gan.base.seeds import Seeds
from gan.base.stacks import StackedGenerator


def stream_seed(name: str, *parts: int) -> int:
    """A 63-bit seed for the stream `name`, the same for ever, for each tuple of parts (seed, rank, …).

    A generator on a GPU is seeded with all of it. PyTorch's generator on a CPU keeps its lower 32 bits: of n streams on
    CPUs two are equal with a probability of n² / 2³³, one in 86 for 10,000 streams.
    """
    digest = hashlib.sha256(repr((name, *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(name: str, *parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device` for the stream `name`."""
    return torch.Generator(device).manual_seed(stream_seed(name, *parts))


class Streams:
    """The generators that training draws from, of one process.

    `anew` names the step from which another number of processes goes on. There the streams are other ones.
    """

    def __init__(self, seeds: Seeds, rank: int, device: torch.device, *anew: int) -> None:
        # latents, augmentations, penalties
        self.noise = stream("training noise", seeds.noise, rank, *anew, device=device)
        self.dropout = stream("dropout", seeds.dropout, rank, *anew, device=device)

    @classmethod
    def stacked(cls, copies: Sequence["Streams"]) -> "Streams":
        """The streams of several copies as one."""
        streams = cls.__new__(cls)
        for name in vars(copies[0]):
            setattr(streams, name, StackedGenerator([vars(copy)[name] for copy in copies]))
        return streams

    def hand_to(self, module: nn.Module) -> None:
        """Give the dropout stream to every part of a module that has a `mask_stream`."""
        for part in module.modules():
            if hasattr(part, "mask_stream"):
                part.mask_stream = self.dropout  # type: ignore[assignment]

    def state_dict(self, every_process: Callable[[Tensor], list[Tensor]]) -> dict[str, list[Tensor]]:
        """States by name and rank. `every_process` gives a tensor of each process, by rank."""
        return {name: every_process(generator.get_state()) for name, generator in vars(self).items()}

    def load_state_dict(self, state: Mapping[str, list[Tensor]], rank: int) -> None:
        """Go on where `state_dict` was taken; a stream that it does not name starts anew."""
        for name, states in state.items():
            vars(self)[name].set_state(states[rank])


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def drawing_from(name: str, *parts: int) -> AbstractContextManager[None]:
    """Inside, PyTorch's global random state on the CPU is that of the stream `name`; afterwards it is what it was."""
    return _seeded(stream_seed(name, *parts))


def part_processes(seeds: Seeds, run_seed: int, rank: int, *anew: int) -> None:
    """Seed the global random state for modules that draw masks from it, such as nn.Dropout.

    Lightning seeds all processes alike, so that their masks would be equal. The first process keeps the state that it
    has, which the run's seed set, unless dropout has a seed of its own.
    """
    if rank or anew or seeds.dropout != run_seed:
        torch.manual_seed(stream_seed("global", seeds.dropout, rank, *anew))


def global_random_state(device: torch.device) -> Tensor:
    """State of PyTorch's global generator on this device."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_global_random_state(state: Tensor, device: torch.device) -> None:
    """Go on from a state that `global_random_state` gave on a device of this kind."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
