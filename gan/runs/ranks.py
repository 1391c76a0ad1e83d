"""Finds out which process of a run was lost. The others then end, and one of them says so in one line."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import distributed

from gan.base.errors import UserError

PATIENCE = 3.0  # seconds in which a process that broke off a connection must have ended
RANK_0 = "GAN_RANK_0"  # variable with the number of the process that started this one
GRACE = 10.0  # seconds in which this process must have noticed that another has ended; some collectives wait for ever


class LostRankError(UserError):
    """Another process of the run has ended too early."""

    code = 1


class Launcher(_SubprocessScriptLauncher):
    """Lightning's launcher. Its observer, which kills every process without a word, has nothing to observe."""

    def launch(self, function: Any, *args: Any, trainer: pl.Trainer | None = None, **kwargs: Any) -> Any:
        """Start the other processes, then call the function."""

        def unobserved(*args: Any, **kwargs: Any) -> Any:
            observed, self.procs = self.procs, [*self.procs]
            observed.clear()
            return function(*args, **kwargs)

        os.environ[RANK_0] = str(os.getpid())
        return super().launch(unobserved, *args, trainer=trainer, **kwargs)


class Ranks(pl.Callback):
    """Knows the processes of a run, by rank. Each is a host and the number of a process there."""

    def __init__(self) -> None:
        self.places: list[tuple[str, int]] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Tell each other who is who. Collective."""
        if trainer.world_size > 1:
            places: list[Any] = [None] * trainer.world_size
            distributed.all_gather_object(places, (socket.gethostname(), os.getpid()))
            self.places = places

    @contextmanager
    def watched(self, trainer: pl.Trainer) -> Iterator[None]:
        """Within it, the failure that follows the loss of another process is LostRankError, or a silent exit."""
        if trainer.world_size == 1:
            yield
            return
        strategy: Any = trainer.strategy
        launcher = strategy.launcher
        if not launcher.cluster_environment.creates_processes_externally:
            launcher = strategy._launcher = Launcher(
                launcher.cluster_environment, launcher.num_processes, launcher.num_nodes
            )
        elif RANK_0 in os.environ:
            self.places = [(socket.gethostname(), int(os.environ[RANK_0]))]
        ended = threading.Event()
        threading.Thread(target=self._watch, args=(trainer, ended), daemon=True).start()
        try:
            try:
                yield
            except RuntimeError:  # of a collective, in all its kinds
                self._leave_if_lost(trainer)
                raise
        except BaseException:
            launcher.kill(signal.SIGKILL)  # the others could only wait for this process
            raise
        finally:
            ended.set()

    def _leave_if_lost(self, trainer: pl.Trainer) -> None:
        """Raise LostRankError if another process has ended. SystemExit, if one of a lower rank is there to say so."""
        end = time.monotonic() + PATIENCE
        while not (lost := self._lost(trainer)) and time.monotonic() < end:
            time.sleep(0.05)
        if lost:
            if trainer.global_rank != min(set(range(trainer.world_size)) - lost.keys()):
                sys.exit(LostRankError.code)
            raise LostRankError(next(iter(lost.values()))) from None

    def _lost(self, trainer: pl.Trainer) -> dict[int, str]:
        """Return the ranks whose processes have ended, with a line about each. Those of other hosts are not seen."""
        procs = trainer.strategy.launcher.procs if trainer.strategy.launcher else []  # type: ignore[attr-defined]
        codes = {rank: process.poll() for rank, process in enumerate(procs, 1)}
        lost = {rank: _how(code) for rank, code in codes.items() if code not in (None, 0)}
        # A process that has only lost another one is not the one to name.
        lost = {rank: how for rank, how in lost.items() if codes[rank] != LostRankError.code} or lost
        host = socket.gethostname()
        for rank, (place, pid) in enumerate(self.places):
            if place == host and not procs and _is_gone(pid):
                lost[rank] = ""
        return {
            rank: f"rank {rank} of {trainer.world_size} was lost{how}; go on with gan resume {trainer.run_directory}"  # type: ignore[attr-defined]
            for rank, how in lost.items()
        }

    def _watch(self, trainer: pl.Trainer, ended: threading.Event) -> None:
        """End this process if another has ended and this one waits for it without noticing."""
        while not ended.wait(0.5):
            if lost := self._lost(trainer):
                if not ended.wait(GRACE):
                    print(f"gan: error: {next(iter(lost.values()))}", file=sys.stderr, flush=True)
                    trainer.strategy.launcher.kill(signal.SIGKILL)  # type: ignore[union-attr]
                    os._exit(LostRankError.code)
                return


def _how(code: int) -> str:
    """Return how a process ended, in words."""
    return f" (killed by {signal.Signals(-code).name})" if code < 0 else f" (exit code {code}: see its own message)"


def _is_gone(pid: int) -> bool:
    """Return whether there is no such process, or only what is left of one."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's process, or a system without /proc
        return False
