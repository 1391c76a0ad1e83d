"""The state of a process that a run moves, so that several runs in one process end as each would alone."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from gan.base import notes

CHATTY = ("pytorch_lightning", "lightning_fabric")  # their tips and device lines


@contextmanager
def as_in_a_process_of_its_own() -> Iterator[None]:
    """Within it a run may set what it likes; afterwards folders, variables and torch's switches are as they were.

    The variables of several processes stay where Lightning launched them, since they go on after the run, too.
    """
    notes.forget()
    path, environment = list(sys.path), dict(os.environ)
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    precision, benchmark = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    anomalies = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    joined = _joined()
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        sys.path[:] = path
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.benchmark = benchmark
        torch.autograd.set_detect_anomaly(*anomalies)
        if not _joined() or distributed.get_world_size() == 1:
            if _joined() and not joined:
                distributed.destroy_process_group()
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)


def _joined() -> bool:
    """Whether this process is one of a group."""
    return distributed.is_available() and distributed.is_initialized()
