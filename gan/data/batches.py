"""Batches drawn where training happens: no worker processes, no copies from the host, one integer of state."""

from collections.abc import Iterator, Sequence
from copy import copy

import torch
from torch import Tensor

from gan.base.streams import stream
from gan.data.split import Split

RESIDENT_BYTES = 2 * 2**30  # sets of at most this size live on the training device; MNIST has 47 MB


class DeviceBatches:
    """Endless shuffled batches on `device`: images (N, C, H, W) uint8, labels (N,) int64; N = batch_size / world_size.

    The images come as one stream: one permutation of the set after the other. A permutation depends on (seed, epoch)
    alone. With `replacement` each image is drawn from the whole set instead. Batch b is the b-th stretch of
    `batch_size` images of the stream, and may straddle two permutations, as in TensorFlow's `next_batch`. Rank r takes
    every world_size-th image of the batch, from the r-th on. So all ranks together see what one process would see.
    `position` is the number of images that all ranks have drawn. It is the whole state.

    An epoch of Lightning has `len(self)` batches. Without a length Lightning would fetch one batch ahead, and the
    `position` in a checkpoint would be one batch too far.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int,
        device: torch.device | str,
        rank: int = 0,
        world_size: int = 1,
        replacement: bool = False,
    ) -> None:
        # The engine refuses other batch sizes in the user's words, before anything is loaded.
        assert batch_size >= world_size, f"batch_size {batch_size} on {world_size} devices"
        assert batch_size % world_size == 0, f"batch_size {batch_size} on {world_size} devices"
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.device, self.replacement = torch.device(device), replacement
        resident = split.images.nbytes <= RESIDENT_BYTES
        self.home = self.device if resident else torch.device("cpu")
        self.image_shape = split.images.shape[1:]
        self.images = split.images.flatten(1).to(self.home)  # (N, C*H*W): one row, one image
        self.labels = split.labels.to(self.home)
        self.position = 0
        self._epoch, self._order = -1, torch.empty(0)  # the permutation, or the draws, at hand

    def __len__(self) -> int:
        return max(1, len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(len(self)):
            indices = self._indices(self.position)
            self.position += self.batch_size  # before the batch is handed out: a checkpoint made in its step is right
            images, labels = self._gather(self.images, indices), self._gather(self.labels, indices)
            yield images.unflatten(1, self.image_shape), labels

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.position = state["position"]

    def _indices(self, start: int) -> Tensor:
        """Indices of the images that this rank takes from the stream's positions start … start + batch_size - 1."""
        stretches, stop = [], start + self.batch_size
        first = start + self.rank  # this rank's first position
        while first < stop:
            epoch, offset = divmod(first, len(self.images))
            stretch = self._ordered(epoch)[offset : offset + stop - first : self.world_size]
            stretches.append(stretch)
            first += len(stretch) * self.world_size
        return stretches[0] if len(stretches) == 1 else torch.cat(stretches)

    def _ordered(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            generator = stream("data order", self.seed, epoch)  # on the CPU: the same on every device and rank
            count = len(self.images)
            if self.replacement:
                order = torch.randint(count, (count,), generator=generator)
            else:
                order = torch.randperm(count, generator=generator)
            self._order = order.to(self.home)
            self._epoch = epoch
        return self._order

    def _gather(self, rows: Tensor, indices: Tensor) -> Tensor:
        if self.home == self.device:
            return rows.index_select(0, indices)
        pinned = self.device.type == "cuda"  # the copy is then asynchronous; nobody has run it (docs/gpu.md)
        batch = torch.empty(len(indices), *rows.shape[1:], dtype=rows.dtype, pin_memory=pinned)
        return torch.index_select(rows, 0, indices, out=batch).to(self.device, non_blocking=True)

    def with_seed(self, seed: int) -> "DeviceBatches":
        """Batches of the same images, which are not copied, in another order."""
        other = copy(self)
        other.seed, other._epoch = seed, -1
        return other


class StackedBatches:
    """Batches of several orders of the same images: images (S, N, C, H, W) uint8, labels (S, N) int64.

    Part s of a batch is the batch of `DeviceBatches` with seed s. All orders have one `position`.
    """

    def __init__(self, first: DeviceBatches, seeds: Sequence[int]) -> None:
        self.first = first
        self.orders = [first.with_seed(seed) for seed in seeds]

    @property
    def position(self) -> int:
        """Number of images that each order has drawn."""
        return self.first.position

    @position.setter
    def position(self, position: int) -> None:
        self.first.position = position

    def __len__(self) -> int:
        return len(self.first)

    def state_dict(self) -> dict[str, int]:
        return self.first.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.first.load_state_dict(state)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        first = self.first
        for _ in range(len(self)):
            indices = torch.cat([order._indices(first.position) for order in self.orders])
            first.position += first.batch_size
            images, labels = (
                first._gather(rows, indices).unflatten(0, (len(self.orders), -1))
                for rows in (first.images, first.labels)
            )
            yield images.unflatten(2, first.image_shape), labels
