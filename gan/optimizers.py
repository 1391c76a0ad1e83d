"""Optimizers as the texts' frameworks compute them, and the schedules of their values.

An optimizer is a function of the parameters; its keyword arguments are the recipe's. A schedule is a function of
(initial value, step) that gives the value for the update number `step`, counted from 0.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer


def momentum_sgd(parameters: Iterable[Parameter], *, lr: float, momentum: float = 0.0) -> Optimizer:
    """v <- momentum v + g; w <- w - lr v (tf.train.MomentumOptimizer without Nesterov; PyTorch's SGD is the same)."""
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, fused=True)


def adam(
    parameters: Iterable[Parameter],
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Optimizer:
    """Adam with epsilon inside the bias correction (Kingma and Ba, 2015, algorithm 1; PyTorch's)."""
    return torch.optim.Adam(parameters, lr=lr, betas=(beta1, beta2), eps=epsilon, fused=True)


class TensorFlowAdam(torch.optim.Adam):
    """Adam with "epsilon hat" outside the bias correction (Kingma and Ba, 2015, end of sec. 2; TensorFlow 1 and Keras).

    w <- w - lr sqrt(1 - β2^t) / (1 - β1^t) · m / (sqrt(v) + ε), which is algorithm 1 with ε_t = ε / sqrt(1 - β2^t).
    """

    def __init__(self, parameters: Iterable[Parameter], lr: float, betas: tuple[float, float], epsilon: float) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=epsilon, fused=True)
        self.updates = 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update, counted before its bias correction."""
        self.updates += 1
        epsilons = [group["eps"] for group in self.param_groups]
        for group, epsilon in zip(self.param_groups, epsilons, strict=True):
            group["eps"] = epsilon / (1 - group["betas"][1] ** self.updates) ** 0.5
        try:
            return super().step(closure)
        finally:
            for group, epsilon in zip(self.param_groups, epsilons, strict=True):
                group["eps"] = epsilon

    def state_dict(self) -> dict[str, Any]:
        """PyTorch's, with the number of updates."""
        return super().state_dict() | {"updates": self.updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """PyTorch's, with the number of updates."""
        self.updates = state_dict["updates"]
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "updates"})


def tensorflow_adam(
    parameters: Iterable[Parameter],
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Optimizer:
    """`TensorFlowAdam`; tf.train.AdamOptimizer has epsilon 1e-8, Keras 1e-7."""
    return TensorFlowAdam(parameters, lr, (beta1, beta2), epsilon)


def exponential_decay(initial: float, step: int, *, factor: float, minimum: float = 0.0) -> float:
    """max(initial / factor^step, minimum); 001 and pylearn2 divide the learning rate by 1.000004 every update."""
    return max(initial / factor**step, minimum)


def linear_ramp(initial: float, step: int, *, final: float, updates: int) -> float:
    """From `initial` to `final` in `updates` updates, constant after them; 001 ramps momentum 0.5 -> 0.7 in 250."""
    return final if step >= updates else initial + (final - initial) * step / updates


OPTIMIZERS = {"momentum_sgd": momentum_sgd, "adam": adam, "tensorflow_adam": tensorflow_adam}
SCHEDULES: dict[str, Callable[..., float]] = {"exponential_decay": exponential_decay, "linear_ramp": linear_ramp}
