"""Runs a function of one copy's tensors over a stack of copies (torch.func.vmap).

Random numbers are drawn for each copy from its own generator, outside of vmap. Gradients that the function takes are
taken of all copies at once, outside of vmap, too: in a sum over copies each copy has its own gradient. So a function
that draws from a generator it is given, or that takes gradients for a penalty, needs no change.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_unflatten

_number: Tensor | None = None  # of the copy that a function within vmap runs for; None outside


class StackedGenerator(Generator):
    """The generators of all copies as one. What a function over the copies draws from it, each copy draws by itself."""

    each: list[Generator]

    def __new__(cls, each: Sequence[Generator]) -> "StackedGenerator":
        """Return a generator on the device of the others."""
        made = super().__new__(cls, each[0].device)  # type: ignore[call-arg]
        made.each = list(each)
        return made


def over_copies(function: Callable[..., Any], count: int, *inputs: Any) -> Any:
    """Return the stack of what `function` returns for each of `count` copies. None among the inputs stays None.

    Inputs and results are tensors, or dicts and tuples of tensors, with the copies along their first dimension.
    """

    def one(number: Tensor, *own: Any) -> Any:
        with _of_copy(number), _OwnNumbers():
            return function(*own)

    places = (0, *(None if value is None else 0 for value in inputs))
    return torch.func.vmap(one, places, randomness="error")(torch.arange(count), *inputs)


def drawn(draw: Callable[..., Tensor], generator: Generator | None, *tensors: Tensor) -> Tensor:
    """Return `draw(generator, *tensors)`. Of a stacked generator each copy draws from its own, with its own tensors."""
    if not isinstance(generator, StackedGenerator):
        return draw(generator, *tensors)

    def outside(places: Sequence[int | None], *stacks: Tensor) -> tuple[Tensor, int]:
        unbound = [[s] * len(generator.each) if p is None else s.unbind(p) for p, s in zip(places, stacks, strict=True)]
        return torch.stack([draw(own, *(u[k] for u in unbound)) for k, own in enumerate(generator.each)]), 0

    return _outside(outside, *tensors)


@contextmanager
def _of_copy(number: Tensor) -> Iterator[None]:
    global _number
    _number = number
    try:
        yield
    finally:
        _number = None


def _outside(function: Callable[..., Any], *tensors: Tensor) -> Any:
    assert _number is not None, "only a function over copies may draw from their generators"
    return _Outside.apply(function, _number, *tensors)


class _Outside(torch.autograd.Function):
    """Calls a function, outside of vmap, with whole stacks and the place of the copies among each one's dimensions."""

    @staticmethod
    def forward(function: Any, number: Tensor, *tensors: Tensor) -> Any:  # vmap calls the rule below instead
        raise NotImplementedError

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: what the function does is differentiated as it is."""

    @staticmethod
    def vmap(info: Any, places: Any, function: Any, number: Tensor, *tensors: Tensor) -> Any:
        """Return the results, and the place of the copies in each."""
        return function(places[2:], *tensors)


class _OwnNumbers(TorchFunctionMode):
    """Takes draws and gradients out of vmap."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        generator = kwargs.get("generator")
        if isinstance(generator, StackedGenerator):
            return _drawn_by(func, generator, args, {k: v for k, v in kwargs.items() if k != "generator"})
        if func is torch.Tensor.requires_grad_:
            _outside(lambda places, stack: (stack.requires_grad_(*args[1:], **kwargs), places[0]), args[0])
            return args[0]
        if func is torch.autograd.grad:
            return _gradients(*args, **kwargs)
        if func is torch.Tensor.contiguous:  # vmap knows no other memory format, which is for speed alone
            return args[0].contiguous()
        return func(*args, **kwargs)


def _drawn_by(func: Any, generator: StackedGenerator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    if func.__name__.endswith("_"):
        raise TypeError(f"Tensor.{func.__name__} draws in place; draw a new tensor, as torch.rand does")
    leaves, form = tree_flatten((args, kwargs))
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

    def draw(own: Generator, *tensors: Tensor) -> Tensor:
        mine = dict(zip(places, tensors, strict=True))
        values, named = tree_unflatten([mine.get(place, leaf) for place, leaf in enumerate(leaves)], form)
        return func(*values, generator=own, **named)

    return drawn(draw, generator, *(leaves[place] for place in places))


def _gradients(outputs: Any, inputs: Any, grad_outputs: Any = None, **settings: Any) -> Any:
    """Return what torch.autograd.grad returns, for each copy."""
    outputs, inputs = ([value] if isinstance(value, Tensor) else list(value) for value in (outputs, inputs))
    given = [] if grad_outputs is None else [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    n, m = len(outputs), len(inputs)

    def outside(places: Sequence[int | None], *stacks: Tensor) -> tuple[tuple[Tensor, ...], Sequence[int]]:
        if None in places[: n + m]:
            raise TypeError("torch.autograd.grad of what is not each copy's own")
        firsts = [stack.movedim(place, 0) for stack, place in zip(stacks[:n], places[:n], strict=True)]  # type: ignore[arg-type]
        seeds = [
            stack.expand_as(first) if place is None else stack.movedim(place, 0)
            for first, stack, place in zip(firsts, stacks[n + m :], places[n + m :], strict=False)
        ]
        seeds = seeds or [torch.ones_like(first) for first in firsts]
        return torch.autograd.grad(firsts, stacks[n : n + m], seeds, **settings), places[n : n + m]  # type: ignore[return-value]

    return _outside(outside, *outputs, *inputs, *given)
