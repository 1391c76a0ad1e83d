"""Player: a network and everything that changes its weights."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import chain

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from gan.engine.building import initialise_as
from gan.engine.recipe import Recipe
from gan.parts.optimizers import TensorFlowAdam, read_value, write_value

PLAYERS = ("generator", "discriminator")  # in the order of Lightning's optimizers


class Player:
    """A network with its optimizer, schedules, penalties, number of updates, average and further modules.

    Args:
        name: `generator` or `discriminator`. The recipe's fields of this name are read.
        network: the network that is trained.
        recipe: the recipe of the game.
        averaged: whether a moving average of the weights is kept.
    """

    def __init__(self, name: str, network: nn.Module, recipe: Recipe, averaged: bool = False) -> None:
        self.name, self.network, self.recipe = name, network, recipe
        self.updates = 0
        self.penalties = recipe.penalties(name)
        self.modules: dict[str, nn.Module] = {}  # attribute name -> the network first, then what a method adds
        self.averages: dict[str, nn.Module] = {}  # attribute name -> average of that module
        self.averaged = averaged
        self._keep(name, network)

    def add(self, name: str, module: nn.Module) -> nn.Module | None:
        """Add a module that is initialised, trained and averaged as the network is. Returns its average, or None."""
        initialise_as(self.name, module, self.recipe)
        return self._keep(name, module)

    def _keep(self, name: str, module: nn.Module) -> nn.Module | None:
        self.modules[name] = module
        if self.averaged:
            self.averages[name] = deepcopy(module).requires_grad_(False)
        return self.averages.get(name)

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the parameters of the network, then those of further modules."""
        return chain.from_iterable(module.parameters() for module in self.modules.values())

    def make_optimizer(self) -> Optimizer:
        """Return the recipe's optimizer of these parameters. Schedules start from its values at this moment."""
        optimizer = self.recipe.resolve(f"{self.name}_optimizer")(self.parameters())
        self._schedules = [
            (value, schedule, read_value(optimizer.param_groups[0], value))
            for value, schedule in self.recipe.optimizer_schedules(self.name).items()
        ]
        return optimizer

    def follow_schedules(self, optimizer: Optimizer, step: int) -> None:
        """Set the scheduled values of the coming update. `lr` follows the clock, others this player's own updates."""
        for value, schedule, initial in self._schedules:
            assert initial is not None, "the recipe refuses others"
            for group in optimizer.param_groups:
                write_value(group, value, schedule(initial, step if value == "lr" else self.updates))

    def penalised(
        self, loss: Tensor, real: Tensor, fake: Tensor, labels: Tensor | None, noise: Generator, step: int
    ) -> Tensor:
        """Return the loss plus the penalties that are due in the coming update."""
        for penalty in self.penalties:
            weight = penalty.weight(step)
            if weight and self.updates % penalty.interval == 0:
                value = penalty.function(self.network, real, fake, labels, noise, step)
                loss = loss + weight * penalty.interval * value
        return loss

    @torch.no_grad()
    def clip(self, bound: float) -> None:
        """Clip every parameter to [-bound, bound] (WGAN: Arjovsky et al., 2017, algorithm 1)."""
        for parameter in self.parameters():
            parameter.clamp_(-bound, bound)

    @torch.no_grad()
    def move_averages(self, decay: float) -> None:
        """Move the averages after update number t: a <- decay a + (1 - decay) w, running statistics too.

        The decay is at most t / (t + 9), so that the initial weights are soon forgotten. TensorFlow's
        ExponentialMovingAverage does the same with `num_updates`.
        """
        decay = min(decay, self.updates / (self.updates + 9))
        for name, average in self.averages.items():
            raw = self.modules[name].state_dict()
            for key, tensor in average.state_dict().items():
                if tensor.is_floating_point():
                    tensor.lerp_(raw[key], 1 - decay)
                else:
                    tensor.copy_(raw[key])


def make_optimizers(players: Sequence[Player], share_step_count: bool) -> list[Optimizer]:
    """Return an optimizer for each player, in order. With `share_step_count` both count their updates together."""
    optimizers = [player.make_optimizer() for player in players]
    if share_step_count:
        first, second = optimizers
        assert isinstance(first, TensorFlowAdam), "the recipe refuses others"
        assert isinstance(second, TensorFlowAdam), "the recipe refuses others"
        second.share_step_count(first)
    return optimizers
