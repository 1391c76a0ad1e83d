"""A function over copies draws and differentiates for each copy as it would by itself."""

import pytest
import torch
from torch import Generator, Tensor

from gan.base.stacks import StackedGenerator, over_copies

SEEDS = (3, 4, 5)


def generators() -> list[Generator]:
    return [Generator().manual_seed(seed) for seed in SEEDS]


def test_draws_take_each_copy_s_own_generator_and_tensors():
    chances = torch.rand(len(SEEDS), 20)
    noise = StackedGenerator(generators())

    def draw(chance: Tensor) -> tuple[Tensor, Tensor]:
        return torch.bernoulli(chance, generator=noise), torch.randn((4,), generator=noise, device=noise.device)

    coins, normals = over_copies(draw, len(SEEDS), chances)
    for number, own in enumerate(generators()):
        assert torch.equal(coins[number], torch.bernoulli(chances[number], generator=own))
        assert torch.equal(normals[number], torch.randn(4, generator=own))


def test_a_draw_into_a_tensor_is_refused():
    noise = StackedGenerator(generators())
    with pytest.raises(TypeError, match="normal_ draws in place"):
        over_copies(lambda x: x + torch.empty(2).normal_(generator=noise), len(SEEDS), torch.zeros(len(SEEDS), 2))


@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_each_copy_s_own_and_can_be_differentiated(weighted):
    weights = torch.randn(len(SEEDS), 4, dtype=torch.float64, requires_grad=True)
    points = torch.randn(len(SEEDS), 6, 4, dtype=torch.float64)

    def penalty(weight: Tensor, point: Tensor) -> Tensor:
        point = point.detach().requires_grad_()
        outputs = (point @ weight).sin()
        given = torch.ones_like(outputs) if weighted else None
        (slope,) = torch.autograd.grad(outputs if weighted else outputs.sum(), point, given, create_graph=True)
        return slope.square().sum()

    together = over_copies(penalty, len(SEEDS), weights, points)
    (gradients,) = torch.autograd.grad(together.sum(), weights)
    for number in range(len(SEEDS)):
        own = weights[number].detach().requires_grad_()
        alone = penalty(own, points[number])
        torch.testing.assert_close(together[number], alone)
        torch.testing.assert_close(gradients[number], torch.autograd.grad(alone, own)[0])


def test_what_is_none_stays_none_and_what_is_no_copy_s_own_has_no_gradient():
    assert over_copies(lambda x, y: x if y is None else y, len(SEEDS), torch.arange(3.0), None).tolist() == [0, 1, 2]
    shared = torch.ones(2)

    def gradient(x: Tensor) -> Tensor:
        return torch.autograd.grad((x * shared.requires_grad_()).sum(), shared)[0]

    with pytest.raises(TypeError, match="not each copy's own"):
        over_copies(gradient, len(SEEDS), torch.arange(3.0))
