"""Optimizers as the texts' frameworks compute them, and the schedules of their values.

An optimizer here is a function of the network's parameters that returns a PyTorch optimizer. A recipe gives its
keyword arguments. A schedule is a function of (initial value, step) that returns the value for update number `step`,
counted from 0.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer


def momentum_sgd(parameters: Iterable[Parameter], *, lr: float, momentum: float = 0.0) -> Optimizer:
    """Momentum SGD: v <- momentum v + g; w <- w - lr v.

    tf.train.MomentumOptimizer without Nesterov and PyTorch's SGD both compute this.
    """
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, fused=True)


def adam(
    parameters: Iterable[Parameter],
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Optimizer:
    """PyTorch's Adam, which has epsilon inside the bias correction (Kingma and Ba, 2015, algorithm 1)."""
    return torch.optim.Adam(parameters, lr=lr, betas=(beta1, beta2), eps=epsilon, fused=True)


def rmsprop(
    parameters: Iterable[Parameter], *, lr: float = 1e-2, smoothing: float = 0.99, epsilon: float = 1e-8
) -> Optimizer:
    """PyTorch's RMSprop: v <- a v + (1 - a) g²; w <- w - lr g / (sqrt(v) + ε), where a is `smoothing`.

    The method is from Tieleman and Hinton, 2012. WGAN used PyTorch's version.
    """
    return torch.optim.RMSprop(parameters, lr=lr, alpha=smoothing, eps=epsilon)


class TensorFlowAdam(torch.optim.Adam):
    """Adam as TensorFlow 1 and Keras compute it: "epsilon hat" stands outside the bias correction.

    Kingma and Ba, 2015, give this form at the end of sec. 2: w <- w - lr c_t · m / (sqrt(v) + ε) with
    c_t = sqrt(1 - β2^t) / (1 - β1^t). It equals their algorithm 1 with ε_t = ε / sqrt(1 - β2^t).

    t counts the updates of this optimizer. After `share_step_count` it counts those of several optimizers together;
    algorithm 1 is then given the learning rate lr c_t / c_own, where c_own belongs to this optimizer's own count.
    """

    def __init__(self, parameters: Iterable[Parameter], lr: float, betas: tuple[float, float], epsilon: float) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=epsilon, fused=True)
        self.updates = 0
        self.shared = [0]  # t, in a list that other optimizers may hold, too

    def share_step_count(self, other: "TensorFlowAdam") -> None:
        """Count updates together with another optimizer.

        Two Keras 2 models that were compiled with the same Adam instance do this (text 002).
        """
        self.shared = other.shared

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do one update. It is counted before its bias correction."""
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
        """PyTorch's state, with the number of updates and t added."""
        return super().state_dict() | {"updates": self.updates, "shared_updates": self.shared[0]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load PyTorch's state, the number of updates and t. Without a t, as in older states, it is that number."""
        self.updates = state_dict["updates"]
        self.shared[0] = state_dict.get("shared_updates", self.updates)
        own = ("updates", "shared_updates")
        super().load_state_dict({key: value for key, value in state_dict.items() if key not in own})


def _correction(beta1: float, beta2: float, t: int) -> float:
    """Adam's bias correction c_t."""
    return (1 - beta2**t) ** 0.5 / (1 - beta1**t)


def tensorflow_adam(
    parameters: Iterable[Parameter],
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Optimizer:
    """A `TensorFlowAdam`. tf.train.AdamOptimizer has epsilon 1e-8, Keras has 1e-7."""
    return TensorFlowAdam(parameters, lr, (beta1, beta2), epsilon)


def exponential_decay(initial: float, step: int, *, factor: float, minimum: float = 0.0) -> float:
    """The value max(initial / factor^step, minimum).

    Text 001 and pylearn2 divide the learning rate by 1.000004 in every update.
    """
    try:
        return max(initial / factor**step, minimum)
    except OverflowError:  # the divisor is beyond all numbers
        return max(0.0, minimum)


def linear_ramp(initial: float, step: int, *, final: float, updates: int) -> float:
    """The value on a line from `initial` to `final`, which it reaches after `updates` updates and then keeps.

    Text 001 raises momentum from 0.5 to 0.7 in 250 updates.
    """
    return final if step >= updates else initial + (final - initial) * step / updates


# A parameter of a recipe's optimizer -> its key, and place within that, in PyTorch's parameter groups. Parameters that
# are not listed have the same name there.
PLACES: dict[str, tuple[str, int | None]] = {
    "beta1": ("betas", 0),
    "beta2": ("betas", 1),
    "epsilon": ("eps", None),
    "smoothing": ("alpha", None),
}


def read_value(group: dict[str, Any], name: str) -> float | None:
    """The value that a recipe calls `name` in a parameter group of an optimizer, or None if the group has none."""
    key, place = PLACES.get(name, (name, None))
    value = group.get(key)
    return value if place is None or value is None else value[place]


def write_value(group: dict[str, Any], name: str, value: float) -> None:
    """Set the value that a recipe calls `name` in a parameter group of an optimizer."""
    key, place = PLACES.get(name, (name, None))
    group[key] = value if place is None else tuple(value if i == place else old for i, old in enumerate(group[key]))


OPTIMIZERS = {"momentum_sgd": momentum_sgd, "adam": adam, "tensorflow_adam": tensorflow_adam, "rmsprop": rmsprop}
SCHEDULES: dict[str, Callable[..., float]] = {"exponential_decay": exponential_decay, "linear_ramp": linear_ramp}
