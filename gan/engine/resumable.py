"""ResumableModule: random streams and the place in the round, saved and restored so that a run goes on bit for bit."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor

from gan.base.errors import UserError
from gan.base.streams import global_random_state, set_global_random_state, stream
from gan.engine.recipe import Recipe


class ResumableModule(pl.LightningModule):
    """What `AdversarialModule` has to remember beside weights and optimizers."""

    recipe: Recipe

    def __init__(self) -> None:
        super().__init__()
        self.run_seed: int = torch.initial_seed()
        self.images_seen = 0  # real images that D was trained on, over all processes
        self.discriminator_updates = 0
        self._turn = 0  # position in the round of d_steps + g_steps - 1 batches
        self._one_sided = 0  # batches in a row that `balance` gave to one network
        self._latent: Tensor | None = None  # of the last D update, for later G updates that share it
        self._restored: dict[str, Any] | None = None

    def setup(self, stage: str) -> None:
        """One run seed for all processes; strategies that cannot alternate two networks are refused."""
        strategy = self.trainer.strategy
        if isinstance(strategy, DDPStrategy):
            if not strategy._ddp_kwargs.get("find_unused_parameters") or strategy._ddp_kwargs.get("static_graph"):
                raise UserError(
                    "trainer.strategy: plain DDP stops at the first alternating step; "
                    "use ddp_find_unused_parameters_true"
                )
        elif not isinstance(strategy, SingleDeviceStrategy):
            raise UserError(
                f"trainer.strategy: {type(strategy).__name__} does not work with two alternating optimizers; "
                "use auto (one device) or ddp_find_unused_parameters_true"
            )
        self.run_seed = strategy.broadcast(torch.initial_seed())
        if self.recipe.batch_size % self.trainer.world_size:
            raise UserError(
                f"recipe.batch_size {self.recipe.batch_size} does not divide over {self.trainer.world_size} processes; "
                "it counts the images of all of them"
            )

    def on_fit_start(self) -> None:
        """Start, or go on with, this process's noise stream."""
        self.noise = stream("training noise", self.run_seed, self.global_rank, device=self.device)
        if self._restored is not None:
            self._restore_streams(self._restored)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """At a resumed run's first batch: the global random state (dropout's), last of all that could still move it."""
        if self._restored is not None:
            set_global_random_state(self._restored["random"][self.global_rank], self.device)
            self._restored = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the variant's name and the state of the round and of the streams; collective over processes."""
        noise = self.noise.get_state()
        checkpoint["adversarial"] = {
            "variant": f"{type(self).__module__}.{type(self).__qualname__}",
            "run_seed": self.run_seed,
            "images_seen": self.images_seen,
            "discriminator_updates": self.discriminator_updates,
            "turn": self._turn,
            "one_sided": self._one_sided,
            # Only a round in its middle needs its noise again.
            "latent": self._every_process(self._latent) if self._turn and self._latent is not None else None,
            "noise": self._every_process(noise),
            "random": self._every_process(global_random_state(self.device)),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the round's state; the streams follow once their device is known."""
        state = checkpoint.get("adversarial")
        if state is None:
            raise UserError("the checkpoint holds no adversarial state: it is not one of a GAN trained by this package")
        self.run_seed = state["run_seed"]
        self.images_seen = state["images_seen"]
        self.discriminator_updates = state["discriminator_updates"]
        self._turn, self._one_sided = state["turn"], state["one_sided"]
        self._restored = state

    def _every_process(self, tensor: Tensor) -> list[Tensor]:
        """This tensor of each process, by rank, on the CPU."""
        gathered = self.all_gather(tensor.to(self.device)) if self.trainer.world_size > 1 else tensor[None]
        return [item.cpu().clone() for item in gathered]

    def _restore_streams(self, state: dict[str, Any]) -> None:
        if len(state["noise"]) != self.trainer.world_size:
            raise UserError(
                f"the checkpoint was written by {len(state['noise'])} processes and cannot go on with "
                f"{self.trainer.world_size}; use as many devices as before"
            )
        if state["noise"][0].shape != self.noise.get_state().shape:
            raise UserError(f"the checkpoint's noise stream is not of a {self.device.type} device; resume where it ran")
        self.noise.set_state(state["noise"][self.global_rank])
        if state["latent"] is not None:
            self._latent = state["latent"][self.global_rank].to(self.device)
