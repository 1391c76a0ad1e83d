"""UpdatingModule: optimizers, their schedules, and what an update of one network does besides."""

from typing import Any

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import nn
from torch.optim import Optimizer

from gan.engine.resumable import ResumableModule
from gan.parts.optimizers import TensorFlowAdam

GENERATOR, DISCRIMINATOR = 0, 1  # order of the optimizers


class UpdatingModule(ResumableModule):
    """The mechanics of one update; `AdversarialModule` says which network has one, and of what loss."""

    generator: nn.Module
    discriminator: nn.Module
    average: nn.Module | None  # G with the moving average of its weights

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """Generator's, then discriminator's; only the first moves `global_step`."""
        optimizers = [
            self.recipe.resolve("generator_optimizer")(self.generator.parameters()),
            self.recipe.resolve("discriminator_optimizer")(self.discriminator.parameters()),
        ]
        if self.recipe.step_count == "shared":
            generator_adam, discriminator_adam = optimizers
            assert isinstance(generator_adam, TensorFlowAdam), "the recipe refuses others"
            assert isinstance(discriminator_adam, TensorFlowAdam), "the recipe refuses others"
            discriminator_adam.share_step_count(generator_adam)
        # (schedule, value that it starts from, name of the value) for each optimizer
        self._schedules = [
            [(function, optimizer.param_groups[0][value], value) for value, function in schedules.items()]
            for optimizer, schedules in zip(
                optimizers, (self.recipe.schedules("generator"), self.recipe.schedules("discriminator")), strict=True
            )
        ]
        self._penalties = [self.recipe.penalties("generator"), self.recipe.penalties("discriminator")]
        return optimizers, []

    def _optimizer(self, index: int) -> LightningOptimizer:
        return self.optimizers()[index]  # type: ignore[index]

    def _step(self, player: int) -> None:
        """The schedules' values, the optimizer's step, and what the recipe does with the new weights."""
        optimizer = self._optimizer(player)
        if player == GENERATOR:
            self._apply_schedules(player, self.global_step)
            optimizer.step()
            self._move_average()
        else:
            self._apply_schedules(player, self.discriminator_updates)
            # Through the strategy, since LightningOptimizer.step would count as a step of the clock.
            self.trainer.strategy.optimizer_step(optimizer.optimizer, _nothing)
            self.discriminator_updates += 1
            self._clip_weights()
            torch.clear_autocast_cache()  # of weights in bfloat16: this batch may go on with the new ones

    def _apply_schedules(self, index: int, updates: int) -> None:
        """Set the values for the coming update, the network's number `updates`; the learning rate follows the clock."""
        for schedule, initial, value in self._schedules[index]:
            for group in self._optimizer(index).param_groups:
                group[value] = schedule(initial, self.global_step if value == "lr" else updates)

    @torch.no_grad()
    def _clip_weights(self) -> None:
        """Every parameter of D into [-weight_clip, weight_clip] (WGAN: Arjovsky et al., 2017, algorithm 1)."""
        bound = self.recipe.weight_clip
        if bound:
            for parameter in self.discriminator.parameters():
                parameter.clamp_(-bound, bound)

    @torch.no_grad()
    def _move_average(self) -> None:
        """a <- decay a + (1 - decay) w after G's update number t, running statistics alike.

        decay = min(ema_decay, t / (t + 9)): the initial weights are soon forgotten, as TensorFlow's
        ExponentialMovingAverage does with `num_updates`.
        """
        if self.average is None:
            return
        decay = min(self.recipe.ema_decay, self.global_step / (self.global_step + 9))
        raw = self.generator.state_dict()
        for name, tensor in self.average.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(raw[name], 1 - decay)
            else:
                tensor.copy_(raw[name])


def _nothing() -> None:
    """The optimizer's closure: gradients are there already."""
