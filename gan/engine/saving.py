"""The state of a game beside weights and optimizers. With it a resumed run goes on bit for bit."""

from typing import TYPE_CHECKING, Any

from torch import Tensor

from gan.base.errors import UserError
from gan.base.seeds import Seeds
from gan.base.streams import Streams, global_random_state, part_processes, set_global_random_state
from gan.engine.formats import FORMAT, upgraded_state

if TYPE_CHECKING:
    from gan.engine.game import AdversarialModule

KEY = "adversarial"  # the key of this state in a checkpoint


def state_of(module: "AdversarialModule") -> dict[str, Any]:
    """Return the state as plain values and tensors on the CPU. All processes must call this."""

    def every_process(tensor: Tensor) -> list[Tensor]:
        """Return this tensor of each process, by rank."""
        several = module.trainer.world_size > 1
        gathered = module.all_gather(tensor.to(module.device)) if several else tensor[None]
        return [item.cpu().clone() for item in gathered]

    return {
        "format": FORMAT,
        "variant": f"{type(module).__module__}.{type(module).__qualname__}",
        "run_seed": module.run_seed,
        "seeds": module.seeds.to_dict(),
        "images_seen": module.images_seen,
        "updates": {name: player.updates for name, player in module.players.items()},
        "round": module.round.state_dict(every_process),
        "streams": module.streams.state_dict(every_process),
        "random": every_process(global_random_state(module.device)),
    }


def take_state(module: "AdversarialModule", checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Set what needs no device from a checkpoint. Returns the state for `go_on` and `go_on_at_the_first_batch`."""
    if KEY not in checkpoint:
        raise UserError("the checkpoint holds no adversarial state: it is not one of a GAN trained by this package")
    state = upgraded_state(checkpoint[KEY], checkpoint["global_step"])
    module.run_seed, module.seeds = state["run_seed"], Seeds(**state["seeds"])
    module.images_seen = state["images_seen"]
    for name, player in module.players.items():
        player.updates = state["updates"][name]
    module.round.load_state_dict(state["round"])
    return state


def refuse_other_world_size(state: dict[str, Any], world_size: int, allowed: bool) -> None:
    """Raise UserError if another number of processes would go on than wrote the checkpoint, unless it is allowed."""
    before = len(state["random"])
    if before != world_size and not allowed:
        raise UserError(
            f"the checkpoint was written by {before} processes and does not go on bit for bit with {world_size}; "
            "use as many devices as before, or give --other-world-size"
        )


def go_on(module: "AdversarialModule", state: dict[str, Any]) -> None:
    """Set this process's streams and latent to those of the checkpoint. UserError if they do not fit.

    Another number of processes takes new streams, named after the step: nothing that was drawn before is drawn again.
    """
    saved, world_size = state["streams"]["noise"], module.trainer.world_size
    refuse_other_world_size(state, world_size, module.other_world_size)
    if len(saved) != world_size:
        module.world_size_before = len(saved)
        module.streams = Streams(module.seeds, module.global_rank, module.device, module.global_step)
        module.streams.hand_to(module)
        module.round.share_latent(state["round"], module.global_rank, world_size, module.device)
        return
    if saved[0].shape != module.streams.noise.get_state().shape:
        device = module.device.type
        raise UserError(f"the checkpoint's noise stream is not of a {device} device; resume where it ran")
    module.streams.load_state_dict(state["streams"], module.global_rank)
    module.round.load_latent(state["round"], module.global_rank, module.device)


def go_on_at_the_first_batch(module: "AdversarialModule", state: dict[str, Any]) -> None:
    """Set the global random state. It is set last, since what Lightning does before may still move it."""
    if module.world_size_before:
        part_processes(module.seeds, module.run_seed, module.global_rank, module.global_step)
    else:
        set_global_random_state(state["random"][module.global_rank], module.device)
