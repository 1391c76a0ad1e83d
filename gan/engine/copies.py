"""Copies: several seeds of one recipe, trained by one program.

The weights and buffers of all copies are stacked in one game, along a new first dimension. Its step is the step of a
single run. What the step does to weights, images and random numbers it does for each copy (`gan.base.stacks`); losses
are summed over the copies, so that each copy has its own gradient; optimizers, clipping and averages act on each number
of a stack by itself. Turns, schedules and the clock are the same for all copies. After each step each copy is an
ordinary module that shares its memory with the stack.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.func import functional_call

from gan.base.errors import UserError
from gan.base.stacks import over_copies
from gan.base.streams import Streams, global_random_state
from gan.engine.building import refuse_for_trainer, try_a_single_image
from gan.engine.game import AdversarialModule
from gan.engine.look import Labels
from gan.engine.players import PLAYERS
from gan.engine.recipe import Recipe
from gan.engine.saving import KEY, state_of
from gan.parts.optimizers import OPTIMIZERS


def refuse_unpackable(recipe: Recipe) -> None:
    """Raise UserError for a recipe whose copies cannot be trained by one program."""
    if recipe.balance is not None:
        raise UserError(
            "copies: recipe.balance lets each copy's accuracy decide whose turn it is, so that copies are no one "
            "program; train single runs, or remove it"
        )
    for player in PLAYERS:
        name = getattr(recipe, f"{player}_optimizer")["name"]
        if name not in OPTIMIZERS:
            raise UserError(
                f"copies: recipe.{player}_optimizer {name} may mix the copies' numbers; train single runs, or give one "
                f"of {', '.join(OPTIMIZERS)}, which act on each number by itself"
            )


def refuse_for_pack(trainer: pl.Trainer, pack: "Pack") -> None:
    """Raise UserError if the trainer cannot train several copies."""
    refuse_for_trainer(trainer, pack, pack.recipe)
    if trainer.world_size > 1:
        raise UserError("copies: are trained in one process; give trainer.devices=1")
    if trainer.precision not in ("32-true", "64-true"):
        raise UserError(
            f"copies: trainer.precision {trainer.precision} reaches a part of what torch.vmap computes; give 32-true, "
            "or train single runs"
        )


def packed(copies: Sequence[AdversarialModule]) -> "Pack":
    """Return the game that trains these modules, which differ in their seeds alone. Their weights become its own."""
    refuse_unpackable(copies[0].recipe)
    made: Any = deepcopy(copies[0])
    made.__class__ = type(f"Packed{type(made).__name__}", (Pack, type(made)), {"__module__": __name__})
    made._take(copies)
    return made


class Pack(AdversarialModule):
    """The game of several copies. `packed` makes it; batches are (images (S, N, C, H, W), labels (S, N) or None)."""

    copies: list[AdversarialModule]

    def _take(self, copies: Sequence[AdversarialModule]) -> None:
        self.__dict__["copies"] = list(copies)  # beside the tree of modules, since their weights are in the stack
        parts = list(zip(*(list(copy.modules()) for copy in copies), strict=True))
        stacks: dict[int, nn.Parameter] = {}  # by the first copy's parameter, which two layers may share
        for mine, others in zip(self.modules(), parts, strict=True):
            for name, parameter in others[0]._parameters.items():
                if parameter is not None:
                    if id(parameter) not in stacks:
                        whole = torch.stack([other._parameters[name].detach() for other in others])
                        stacks[id(parameter)] = nn.Parameter(whole, requires_grad=parameter.requires_grad)
                    mine._parameters[name] = stacks[id(parameter)]
            for name, buffer in others[0]._buffers.items():
                if buffer is not None:
                    mine._buffers[name] = torch.stack([other._buffers[name] for other in others])
        self._random: list[Tensor] = []  # the global random state that each copy would have by itself
        self._updates_before = 0  # of G, in earlier processes

    def share(self) -> None:
        """Let each copy's weights and buffers be its part of the stack, on the stack's device."""
        for number, copy in enumerate(self.copies):
            copy.to(self.device)
            for mine, other in zip(self.modules(), copy.modules(), strict=True):
                for name, parameter in other._parameters.items():
                    if parameter is not None:
                        parameter.data = mine._parameters[name].data[number]  # type: ignore[union-attr]
                for name, buffer in other._buffers.items():
                    if buffer is not None:
                        other._buffers[name] = mine._buffers[name][number]  # type: ignore[index]
        self._numbers = dict(chain(self.named_parameters(), self.named_buffers()))

    def forward(self, function: Callable[..., Any], numbers: Mapping[str, Tensor], *inputs: Any) -> Any:
        """Call a function of one copy. Within it this module has that copy's weights and buffers, `numbers`."""
        result = function(*inputs)
        for name, buffer in self.named_buffers():
            if buffer is not numbers[name]:
                raise TypeError(f"buffer {name} is set to a new tensor; change it in place, as copy_ does")
        return result

    def _each(self, function: Callable[..., Any], *inputs: Any) -> Any:
        def one(numbers: dict[str, Tensor], *own: Any) -> Any:
            return functional_call(self, numbers, (function, numbers, *own))

        try:
            return over_copies(one, len(self.copies), self._numbers, *inputs)
        except Exception as error:
            proven = self.players["generator"].updates > self._updates_before + 1  # all of a step has run once
            if proven or isinstance(error, UserError | torch.OutOfMemoryError):
                raise
            raise UserError(
                f"copies: {type(self.copies[0]).__name__} with this recipe cannot be packed "
                f"({' '.join(str(error).split())[:300]}); train single runs"
            ) from error

    @staticmethod
    def tell(module: AdversarialModule, other: AdversarialModule) -> None:
        """Give a module the counts of another: they are the same for all copies."""
        module.images_seen, module.round.position = other.images_seen, other.round.position
        for name, player in module.players.items():
            player.updates = other.players[name].updates

    # Lightning's hooks ---

    def setup(self, stage: str) -> None:
        """Refuse what the trainer cannot do with several copies."""
        refuse_for_pack(self.trainer, self)
        if self.recipe.batch_size == 1:
            copy = self.copies[0]
            try_a_single_image(self.recipe, copy.generator, copy.discriminator, copy.prior)

    def on_fit_start(self) -> None:
        """Start or restore each copy's streams, as its single run would."""
        self.share()
        self._random = []
        for copy in self.copies:
            copy.trainer = self.trainer
            with torch.random.fork_rng():
                torch.manual_seed(copy.run_seed)
                copy.on_fit_start()
                self._random.append(global_random_state(self.device))
        self.streams, self._checked = Streams.stacked([copy.streams for copy in self.copies]), False
        self.streams.hand_to(self)
        self._updates_before = self.players["generator"].updates
        latents = [copy.round.latent for copy in self.copies]
        self.round.latent = None if latents[0] is None else torch.stack(latents)  # type: ignore[arg-type]

    def on_train_batch_start(self, batch: tuple[Tensor, Labels], batch_idx: int) -> None:
        """Check the first batch, that of each copy."""
        if self._checked:
            return
        images, labels = batch
        for number, copy in enumerate(self.copies):
            with torch.random.fork_rng():
                restored = copy._restored is not None
                copy.on_train_batch_start((images[number], None if labels is None else labels[number]), batch_idx)
                if restored:
                    self._random[number] = global_random_state(self.device)
        self._checked = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add nothing: `own_checkpoint` gives each copy what is its own."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the state of each copy from what `whole_checkpoint` made."""
        for copy, own in zip(self.copies, checkpoint[KEY], strict=True):
            copy.on_load_checkpoint({KEY: own, "global_step": checkpoint["global_step"]})
        self.tell(self, self.copies[0])

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load nothing: the copies had their weights before they were packed."""

    # Checkpoints ---

    def own_checkpoint(self, number: int, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of a copy's checkpoint, as its single run would write it, from that of the pack's."""
        copy = self.copies[number]
        self.tell(copy, self)
        copy.round.latent = None if self.round.latent is None else self.round.latent[number]
        state = state_of(copy) | {"random": [self._random[number].cpu().clone()]}
        optimizers = [_of_copy(number, state) for state in content["optimizer_states"]]
        weights = {name: tensor.clone() for name, tensor in copy.state_dict().items()}  # not the whole stack
        own = {"state_dict": weights, "optimizer_states": optimizers, KEY: state}
        return {**content, **own, copy.CHECKPOINT_HYPER_PARAMS_KEY: dict(copy.hparams)}


def whole_checkpoint(contents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a pack goes on from, made of the checkpoints of all its copies, which are of one step."""
    states = [_stacked(own) for own in zip(*(content["optimizer_states"] for content in contents), strict=True)]
    return {**contents[0], "optimizer_states": states, KEY: [content[KEY] for content in contents], "state_dict": {}}


def _of_copy(number: int, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy's part of an optimizer's state."""
    values = {
        place: {key: value[number].clone() if _has_copies(key, value) else value for key, value in own.items()}
        for place, own in state["state"].items()
    }
    return {**state, "state": values}


def _stacked(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the state of a pack's optimizer, from that of each copy's."""
    first = states[0]
    values = {
        place: {
            key: torch.stack([state["state"][place][key] for state in states]) if _has_copies(key, value) else value
            for key, value in own.items()
        }
        for place, own in first["state"].items()
    }
    return {**first, "state": values}


def _has_copies(key: str, value: Any) -> bool:
    """Return whether a value of an optimizer's state is each copy's own. The number of updates is that of all."""
    return isinstance(value, Tensor) and key != "step"
