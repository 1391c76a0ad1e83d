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


def rmsprop(
    parameters: Iterable[Parameter], *, lr: float = 1e-2, smoothing: float = 0.99, epsilon: float = 1e-8
) -> Optimizer:
    """v <- a v + (1 - a) g²; w <- w - lr g / (sqrt(v) + ε) (Tieleman and Hinton, 2012; PyTorch's, which WGAN used)."""
    return torch.optim.RMSprop(parameters, lr=lr, alpha=smoothing, eps=epsilon)


class TensorFlowAdam(torch.optim.Adam):
    """Adam with "epsilon hat" outside the bias correction (Kingma and Ba, 2015, end of sec. 2; TensorFlow 1 and Keras).

    w <- w - lr c_t · m / (sqrt(v) + ε) with c_t = sqrt(1 - β2^t) / (1 - β1^t), which is algorithm 1 with
    ε_t = ε / sqrt(1 - β2^t). The t of c_t is the optimizer's own number of updates, or that of several optimizers
    together (`share_step_count`): algorithm 1 is then given the learning rate lr c_t / c_own.
    """

    def __init__(self, parameters: Iterable[Parameter], lr: float, betas: tuple[float, float], epsilon: float) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=epsilon, fused=True)
        self.updates = 0
        self.shared = [0]  # t, in a list that others may hold too

    def share_step_count(self, other: "TensorFlowAdam") -> None:
        """Count with another one, as two Keras 2 models do that were compiled with the same instance (text 002)."""
        self.shared = other.shared

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update, counted before its bias correction."""
        self.updates += 1
        self.shared[0] += 1
        own, t = self.updates, self.shared[0]
        values = [(group["lr"], group["eps"]) for group in self.param_groups]
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            group["lr"] *= _correction(beta1, beta2, t) / _correction(beta1, beta2, own) if t != own else 1
            group["eps"] /= (1 - beta2**own) ** 0.5
        try:
            return super().step(closure)
        finally:
            for group, (lr, epsilon) in zip(self.param_groups, values, strict=True):
                group["lr"], group["eps"] = lr, epsilon

    def state_dict(self) -> dict[str, Any]:
        """PyTorch's, with the number of updates and t."""
        return super().state_dict() | {"updates": self.updates, "shared_updates": self.shared[0]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """PyTorch's, with the number of updates and t; older states have no t of its own."""
        self.updates = state_dict["updates"]
        self.shared[0] = state_dict.get("shared_updates", self.updates)
        own = ("updates", "shared_updates")
        super().load_state_dict({key: value for key, value in state_dict.items() if key not in own})


def _correction(beta1: float, beta2: float, t: int) -> float:
    return (1 - beta2**t) ** 0.5 / (1 - beta1**t)


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


# Where a parameter of a recipe's optimizer stands in PyTorch's parameter groups, if not under its own name.
PLACES: dict[str, tuple[str, int | None]] = {
    "beta1": ("betas", 0),
    "beta2": ("betas", 1),
    "epsilon": ("eps", None),
    "smoothing": ("alpha", None),
}


def read_value(group: dict[str, Any], name: str) -> float | None:
    """A value of an optimizer's parameter group by its name in a recipe; None where the group has no such value."""
    key, place = PLACES.get(name, (name, None))
    value = group.get(key)
    return value if place is None or value is None else value[place]


def write_value(group: dict[str, Any], name: str, value: float) -> None:
    """Set a value of an optimizer's parameter group by its name in a recipe."""
    key, place = PLACES.get(name, (name, None))
    group[key] = value if place is None else tuple(value if i == place else old for i, old in enumerate(group[key]))


OPTIMIZERS = {"momentum_sgd": momentum_sgd, "adam": adam, "tensorflow_adam": tensorflow_adam, "rmsprop": rmsprop}
SCHEDULES: dict[str, Callable[..., float]] = {"exponential_decay": exponential_decay, "linear_ramp": linear_ramp}
