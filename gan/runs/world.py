"""How many processes train a run: what the trainer asks for, against this machine and against the environment.

Torch and Lightning are imported where they are asked, which takes seconds.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from gan.base.errors import UserError

FEW = 4  # processes that a CPU may have, even if it has fewer cores
ELASTIC = "TORCHELASTIC_RUN_ID"  # set by torchrun; SLURM's variables then count torchruns
# Variable with the number of processes -> variables with the number of this process among them.
VARIABLES = {"WORLD_SIZE": ("RANK", "LOCAL_RANK"), "SLURM_NTASKS": ("SLURM_PROCID",)}
ALONE = "or say that this run trains alone with --alone (gan.fit(…, alone=True))"


def processes(settings: Mapping[str, Any]) -> int:
    """Return the number of processes that the Trainer's arguments ask for, on all nodes."""
    return _devices(settings) * max(1, _whole(settings.get("num_nodes", 1)))


def _devices(settings: Mapping[str, Any]) -> int:
    """Return the number of devices of a node. What is no number of devices counts as 1; the Trainer refuses it."""
    devices = settings.get("devices", 1)
    if isinstance(devices, str) and "," in devices:
        devices = [device for device in devices.split(",") if device.strip()]
    if isinstance(devices, list | tuple):
        return len(devices)
    if devices in ("auto", -1, "-1"):
        return max(1, _gpus()) if _on_gpus(settings) else 1
    return max(1, _whole(devices))


def _on_gpus(settings: Mapping[str, Any]) -> bool:
    accelerator = settings.get("accelerator", "auto")
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and _gpus() > 0)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _whole(value: Any) -> int:
    return int(value) if str(value).strip().isdecimal() else 1


def refuse_too_many(settings: Mapping[str, Any]) -> None:
    """Raise UserError for more devices than this machine can have. Lightning would start to launch them."""
    cores = os.cpu_count() or 1
    most, what = max(FEW, cores), f"this machine's {cores} CPU cores (at most {max(FEW, cores)} processes)"
    if _on_gpus(settings) and _gpus():
        most = _gpus()
        what = f"this machine's {most} GPUs"
    if _devices(settings) > most:
        raise UserError(f"trainer.devices: {_devices(settings)} are too many for {what}; give fewer")


def refuse_synchronised_batch_norm(settings: Mapping[str, Any]) -> None:
    """Raise UserError for a batch norm over several processes on a CPU."""
    if settings.get("sync_batchnorm") and processes(settings) > 1 and not _on_gpus(settings):
        raise UserError(
            "trainer.sync_batchnorm: PyTorch synchronises batch norm on GPUs only; remove it, and each process "
            "normalises its own part of the batch"
        )


def refuse_another_world(settings: Mapping[str, Any]) -> None:
    """Raise UserError if the environment speaks of other processes than the trainer.

    Each process of a launcher (torchrun, srun) would then train alone in one directory, or wait for others for ever.
    """
    world = processes(settings)
    found = {name: os.environ[name] for name in _variables() if os.environ.get(name, "").strip()}
    size_of_tasks = found.get("SLURM_NTASKS")
    if os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive") and size_of_tasks == "1":
        del found["SLURM_NTASKS"]  # a shell on a node: the trainer starts its own processes there
    named = ", ".join(f"{name}={value}" for name, value in found.items())
    for name, value in found.items():
        number = int(value) if value.isdecimal() else -1
        fits = number == world if name in VARIABLES else 0 <= number < world
        if not fits:
            raise UserError(
                f"the environment ({named}) is that of another number of processes than the trainer's {world}; "
                f"give trainer.devices (and num_nodes) as it was launched, start without these variables, {ALONE}"
            )
    if "LOCAL_RANK" in found and "WORLD_SIZE" not in found and world > 1:
        raise UserError(
            f"the environment ({named}) has a LOCAL_RANK and no WORLD_SIZE, so that Lightning would wait for processes "
            "that nobody starts; unset LOCAL_RANK, or start with torchrun"
        )


def _variables() -> Iterator[str]:
    for size, ranks in VARIABLES.items():
        if size != "SLURM_NTASKS" or ELASTIC not in os.environ:
            yield from (*ranks, size)


def forget_the_launcher() -> None:
    """Remove what a launcher has put into this process's environment, so that the process trains alone."""
    for name in (*_variables(), ELASTIC):
        os.environ.pop(name, None)
    if lightning := sys.modules.get("pytorch_lightning.utilities.rank_zero"):
        lightning.rank_zero_only.rank = 0  # it read the environment when it was imported


def by_itself(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the Trainer's arguments for one process. UserError if they name several devices or nodes."""
    settings = dict(settings or {})
    if processes(settings) > 1:
        raise UserError(f"--alone trains in one process, and the trainer asks for {processes(settings)}; give one")
    return settings | {"devices": 1, "num_nodes": 1}
