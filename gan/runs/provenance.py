"""Provenance: commit, uncommitted changes, versions and machine behind a number."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    *("gan", "torch", "torchvision", "pytorch-lightning", "torchmetrics"),
    *("tensorboard", "numpy", "scipy", "mlxtend"),
)
JOB_VARIABLES = ("SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID", "PBS_JOBID", "LSB_JOBID")
MAX_DIFF = 1_000_000  # characters


def _git(directory: Path, *arguments: str) -> str | None:
    """Return what git prints in a directory, or None without git or without a repository."""
    try:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@lru_cache
def commit(directory: Path = Path(__file__).parents[1]) -> str | None:
    """Return the commit of the repository around `directory`, with `+` for uncommitted changes, or None.

    The repository must track the directory. An installed wheel may lie in somebody's repository that ignores it.
    """
    head = _git(directory, "rev-parse", "HEAD")
    if head is None or not _git(directory, "ls-files", "--", "."):
        return None
    return head + ("+" if _git(directory, "status", "--porcelain", "--untracked-files=no") else "")


def repository(directory: Path) -> dict[str, Any]:
    """Return the commit and the uncommitted diff of the repository around `directory`."""
    found = commit(directory)
    diff = (_git(directory, "diff", "HEAD") or "") if found else ""
    return {"commit": found, "uncommitted_diff": diff[:MAX_DIFF]}


def provenance(variant: type, data: dict[str, Any], device: torch.device, precision: str) -> dict[str, Any]:
    """Return an entry of `provenance.json`, as plain values."""
    repositories = {"gan": repository(Path(__file__).parents[1])}
    source = getattr(sys.modules.get(variant.__module__), "__file__", None)
    if source and variant.__module__.split(".")[0] != "gan":
        repositories[variant.__module__] = repository(Path(source).resolve().parent)
    return {
        "command": sys.argv,
        "repositories": repositories,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "precision": precision,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "job": {name: os.environ[name] for name in JOB_VARIABLES if name in os.environ},
        "data": data,
    }


@lru_cache
def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
