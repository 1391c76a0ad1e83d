"""Restores the state of a process after a run, so that several runs in one process end as each would alone."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import distributed

from gan.base import notes
from gan.runs.world import forget_the_launcher

CHATTY = ("pytorch_lightning", "lightning_fabric")  # loggers that print tips and devices


@contextmanager
def as_in_a_process_of_its_own(alone: bool = False) -> Iterator[None]:
    """Restore import folders, environment variables, log levels, torch's switches and threads at the exit.

    If Lightning started several processes, the variables stay: those processes go on after the run. With `alone` the
    process is none of a launcher's within it.
    """
    notes.forget()
    path, environment = list(sys.path), dict(os.environ)
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    precision, benchmark = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    anomalies = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    threads = torch.get_num_threads()
    joined, rank = _joined(), getattr(rank_zero_only, "rank", 0)
    if alone:
        forget_the_launcher()
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        sys.path[:] = path
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.benchmark = benchmark
        torch.autograd.set_detect_anomaly(*anomalies)
        if not _joined() or distributed.get_world_size() == 1:
            if _joined() and not joined:
                distributed.destroy_process_group()
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)
            rank_zero_only.rank = rank  # type: ignore[attr-defined]


def _joined() -> bool:
    """Return whether this process belongs to a group of processes."""
    return distributed.is_available() and distributed.is_initialized()
