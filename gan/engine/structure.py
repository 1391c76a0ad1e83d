"""What a checkpoint must hold so that a run can go on from it. It is checked before anything is built or changed."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from gan.base.errors import UserError, usable
from gan.engine.formats import recorded_format, upgraded_state
from gan.engine.saving import KEY

COUNT = "a whole number of at least 0"
TENSORS = "a list of tensors"
NUMBER, NUMBERS = "a number", "a mapping of numbers"
PLAIN = "a mapping of plain values"
PROGRESS = {"total": {"ready": COUNT, "completed": COUNT}, "current": {"ready": COUNT, "completed": COUNT}}
STATE = {  # the key `adversarial`, in today's format
    "variant": "a text",
    "run_seed": COUNT,
    "seeds": {"init": COUNT, "order": COUNT, "noise": COUNT, "dropout": COUNT},
    "images_seen": COUNT,
    "updates": {"generator": COUNT, "discriminator": COUNT},
    "round": {"position": COUNT, "one_sided": COUNT, "latent": f"{TENSORS}, or null"},
    "streams": {"noise": TENSORS},
    "random": TENSORS,
}
FORMAT_1 = {
    **{"variant": "a text", "run_seed": COUNT, "images_seen": COUNT, "discriminator_updates": COUNT, "turn": COUNT},
    **{"one_sided": COUNT, "latent": f"{TENSORS}, or null", "noise": TENSORS, "random": TENSORS},
}
CALLBACKS = {  # of these callbacks, by the name of their state; not every checkpoint has one of each
    "Checkpoints": {"best": NUMBER},
    "Recording": {"data": PLAIN},
    "Scalars": {
        **{"sums": "a mapping of scalars", "counts": NUMBERS, "last_update": NUMBERS},
        **{"start_step": COUNT, "start_images": COUNT, "seconds": NUMBER},
    },
    "Watchdog": {"alarms": PLAIN, "rows": NUMBERS, "norms": NUMBERS},
}
WHOLE = {
    "global_step": COUNT,
    "state_dict": "a mapping of tensors",
    "optimizer_states": "a list of two mappings",
    "callbacks": "a mapping",
    "loops": {
        "fit_loop": {
            "epoch_loop.batch_progress": PROGRESS,
            "epoch_loop.manual_optimization.optim_step_progress": PROGRESS,
            "epoch_progress": PROGRESS,
        }
    },
    "ImageDataModule": {"position": COUNT, "name": "a text", "train_images": COUNT, "source": "a text"},
    "lr_schedulers": "a list",
    "hyper_parameters": {"recipe": "a mapping"},
}


def check_structure(content: Mapping[str, Any], where: str) -> None:
    """Raise UserError, which names the key, for a checkpoint that lacks what going on needs."""
    number = recorded_format(content.get(KEY) or {}, where)
    _check(content, {**WHOLE, KEY: FORMAT_1 if number == 1 else STATE}, where, "")
    callbacks = {name: schema for name, schema in CALLBACKS.items() if name in content["callbacks"]}
    kept = content["callbacks"].get("Checkpoints")
    if isinstance(kept, Mapping) and "best_fid" in kept:  # by an older version
        callbacks["Checkpoints"] = {"best_fid": NUMBER}
    _check(content["callbacks"], callbacks, where, "callbacks.")
    scalars = content["callbacks"].get("Scalars", {"sums": {}})
    if any(scalars["counts"].get(tag, 0) < 1 for tag in scalars["sums"]):
        raise UserError(f"{where}: damaged: callbacks.Scalars has sums without counts; give a sound checkpoint")
    step = content["global_step"]
    done = content["loops"]["fit_loop"]["epoch_loop.manual_optimization.optim_step_progress"]["total"]["completed"]
    if done != step:
        raise UserError(f"{where}: damaged: its loops have done {done} steps, it says {step}; give a sound checkpoint")
    state = upgraded_state(content[KEY], step)
    processes = len(state["random"])
    for name, tensors in [*state["streams"].items(), ("latent", state["round"]["latent"])]:
        if tensors is not None and (not _is(tensors, TENSORS) or len(tensors) != processes):
            raise UserError(f"{where}: damaged: {KEY} has {name} for other processes; give a sound checkpoint")
    for name, states in [*state["streams"].items(), ("random", state["random"])]:
        if not all(_restores(own, like=state["streams"]["noise"][0]) for own in states):
            raise UserError(f"{where}: damaged: {KEY}.{name} holds no state of a generator; give a sound checkpoint")


def _restores(state: Tensor, like: Tensor) -> bool:
    """Whether a random generator can go on from a state. Those of a checkpoint are of one device, as `like` is."""
    if state.dtype != torch.uint8 or state.shape != like.shape:
        return False
    generator = torch.Generator()
    if state.shape == generator.get_state().shape:  # of a CPU; a GPU's is 16 bytes, of which any are a state
        try:
            generator.set_state(state)
        except RuntimeError:
            return False
    return True


def check_optimizers(content: Mapping[str, Any], optimizers: list[torch.optim.Optimizer], where: str) -> None:
    """Raise UserError if the optimizers' states are not of the weights that the optimizers have, or allow no step.

    The optimizers do steps without a gradient, so that they are of no use afterwards. The weights stay.
    """
    for index, (state, optimizer) in enumerate(zip(content["optimizer_states"], optimizers, strict=True)):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        groups, fresh = state.get("param_groups"), optimizer.state_dict()["param_groups"]
        _step(optimizer, weights)
        values, stepped = state.get("state"), optimizer.state_dict()["state"]
        fits = isinstance(values, Mapping) and len(values) in (0, len(weights))
        fits = fits and all(
            isinstance(place, int)
            and 0 <= place < len(weights)
            and isinstance(own, Mapping)
            and all(_entry_fits(value, stepped.get(place, {}).get(key), weights[place]) for key, value in own.items())
            for place, own in values.items()
        )
        fits = fits and isinstance(groups, list) and len(groups) == len(fresh) and all(map(_group_fits, groups, fresh))
        if not fits:
            raise UserError(f"{where}: optimizer_states[{index}] does not fit the recipe's networks; restore the file")
        with usable(f"{where}: damaged: optimizer_states[{index}]"):
            optimizer.load_state_dict(deepcopy(dict(state)))
            _step(optimizer, weights)


def _entry_fits(value: Any, fresh: Any, weight: Tensor) -> bool:
    """Whether a value of an optimizer's state is of the kind that the state after a step has, `fresh`.

    Fused optimizers trust the shapes and the memory of tensors: what fails here could end the process. A state has no
    `fresh` value where a schedule brings it later; it is then as large as the weight.
    """
    if not isinstance(value, Tensor):
        return value is None or (isinstance(value, int | float) and not isinstance(fresh, Tensor))
    like = fresh if isinstance(fresh, Tensor) else weight
    alike = value.dtype == like.dtype or (value.is_floating_point() and like.is_floating_point())
    whole = value.layout == torch.strided and value.untyped_storage().nbytes() >= value.numel() * value.element_size()
    return alike and whole and value.shape == like.shape


def _step(optimizer: torch.optim.Optimizer, weights: list[Tensor]) -> None:
    """Do a step without a gradient, and set the weights back."""
    before = [weight.detach().clone() for weight in weights]
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    with torch.no_grad():
        for weight, own in zip(weights, before, strict=True):
            weight.copy_(own)
            weight.grad = None


def check_loops(content: Mapping[str, Any], fresh: Mapping[str, Any], where: str) -> None:
    """Raise UserError if the counters of the training loop are not those that a fresh loop has, `fresh`."""
    _check_counters(content["loops"]["fit_loop"], fresh, f"{where}: damaged: loops.fit_loop")


def _check_counters(value: Any, fresh: Any, where: str) -> None:
    if isinstance(fresh, Mapping):
        if not isinstance(value, Mapping) or not value.keys() >= fresh.keys():
            raise UserError(f"{where} must have {', '.join(fresh)}; give a sound checkpoint")
        for key, item in fresh.items():
            _check_counters(value[key], item, f"{where}.{key}")
    elif isinstance(fresh, int) and (not isinstance(value, int) or value < 0):
        raise UserError(f"{where} must be {COUNT}; give a sound checkpoint")


def _group_fits(group: Any, fresh: Mapping[str, Any]) -> bool:
    """Whether the values of an optimizer's group are of the same kinds as those of a fresh one."""
    if not isinstance(group, Mapping) or group.get("params") != fresh["params"] or "lr" not in group:
        return False
    kinds = {int: (int, float), float: (int, float), tuple: (tuple, list)}
    return all(isinstance(group[k], kinds.get(type(v), object)) for k, v in fresh.items() if k in group)


def _check(value: Any, expected: Any, where: str, path: str) -> None:
    """Compare a value with what is expected of it: a mapping of further keys, or words that `_is` knows."""
    if isinstance(expected, Mapping):
        if not isinstance(value, Mapping):
            raise UserError(f"{where}: damaged: {path} must be a mapping; give a sound checkpoint")
        for key, item in expected.items():
            if key not in value:
                raise UserError(f"{where}: damaged: it has no {path}{key}; give a sound checkpoint")
            _check(value[key], item, where, f"{path}{key}" + "." * isinstance(item, Mapping))
    elif not _is(value, expected):
        raise UserError(f"{where}: damaged: {path} must be {expected}; give a sound checkpoint")


def _is(value: Any, words: str) -> bool:
    """Whether a value is what the words say."""
    if words.endswith(", or null"):
        return value is None or _is(value, words.removesuffix(", or null"))
    if words == COUNT:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if words == TENSORS:
        return isinstance(value, list) and all(isinstance(item, torch.Tensor) for item in value)
    if words == "a list":
        return isinstance(value, list)
    if words == "a text":
        return isinstance(value, str)
    if words == "a list of two mappings":
        return isinstance(value, list) and len(value) == 2 and all(isinstance(item, Mapping) for item in value)
    if words == PLAIN:
        return isinstance(value, Mapping) and _plain(value)
    if words == NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if words == NUMBERS:
        return isinstance(value, Mapping) and all(isinstance(k, str) and _is(v, NUMBER) for k, v in value.items())
    if words == "a mapping of scalars":
        return _is(value, "a mapping of tensors") and all(v.ndim == 0 and v.is_floating_point() for v in value.values())
    if words == "a mapping of tensors":
        return isinstance(value, Mapping) and all(
            isinstance(key, str) and isinstance(item, torch.Tensor) for key, item in value.items()
        )
    return isinstance(value, Mapping)


def _plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is of texts, numbers, null, and lists and mappings of these, at most 20 deep."""
    if depth > 20:
        return False
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _plain(item, depth + 1) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(_plain(item, depth + 1) for item in value)
    return value is None or isinstance(value, str | int | float)
