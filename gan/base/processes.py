"""What the processes of a run do together, so that all of them fail or none."""

from collections.abc import Callable
from typing import Any, TypeVar

from torch import distributed

from gan.base.errors import UserError

T = TypeVar("T")


def on_every_rank(make: Callable[[], T]) -> list[T]:
    """Return what `make` returns in each process, by rank. Where it fails in one, all raise. Collective.

    Without this the others would wait for a process that has failed. They raise UserError with the rank that failed and
    its reason. Values must be picklable.
    """
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return [make()]
    value, failure = None, None
    try:
        value = make()
    except Exception as error:
        failure = error
    reason = failure and (str(failure) if isinstance(failure, UserError) else f"{type(failure).__name__}: {failure}")
    every: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(every, (value, reason))
    if failure is not None:
        raise failure
    for rank, (_, line) in enumerate(every):
        if line:
            raise UserError(f"rank {rank}: {line}")
    return [one for one, _ in every]
