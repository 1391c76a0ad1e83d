"""How many CPU cores this process may use, and how many of them other processes leave free. Torch is not needed."""

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

WINDOW = 0.2  # seconds over which other processes are looked at, or more: the system counts in hundredths
CGROUP = Path("/sys/fs/cgroup")
VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # how threads of OpenMP wait, if somebody says so
SPINS = "10000"  # turns of a thread's loop before it sleeps, some 50 µs: docs/running.md, Threads


class _Look(NamedTuple):
    """What the cores have done until a moment, in seconds."""

    time: float
    busy: float
    own: float  # by this process


_before: _Look | None = None


def usable() -> int:
    """Return the number of cores that this process may use, by its affinity and by the quota of its cgroup."""
    quota = _quota()
    return max(1, min(len(_affinity()), int(quota) if quota else len(_affinity())))


def look() -> None:
    """Begin to look at what other processes do, for the next `free`."""
    global _before
    _before = _look()


def free() -> float:
    """Return how many of the usable cores other processes left free since `look`, or in a moment from now on.

    Processes that are nicer than this one do not count, since they make way. Where the system does not say it, all are
    free.
    """
    if _before is None:
        look()
    before = _before
    if before is None:
        return float(usable())
    time.sleep(max(0.0, before.time + WINDOW - time.monotonic()))
    now = _look()
    assert now is not None
    others = max(0.0, now.busy - before.busy - (now.own - before.own)) / (now.time - before.time)
    return min(float(usable()), max(0.0, len(_affinity()) - others))


def wait_briefly() -> None:
    """Let OpenMP's threads sleep soon when they wait, and at once if a core is busy.

    A thread that spins takes time from the threads that it waits for. What the user has set stays. Once torch is
    imported, it is too late.
    """
    if "torch" in sys.modules or os.environ.keys() & set(VARIABLES):
        return
    if free() < usable() - 0.5:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    else:
        os.environ["GOMP_SPINCOUNT"] = SPINS


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _quota() -> float | None:
    """Return the number of cores' time that the cgroup grants, or None without a limit."""
    try:
        if (file := CGROUP / "cpu.max").is_file():
            limit, period = file.read_text().split()
        else:
            limit, period = ((CGROUP / "cpu" / f"cpu.cfs_{word}_us").read_text() for word in ("quota", "period"))
        return float(limit) / float(period) if float(limit) > 0 else None
    except (OSError, ValueError):  # no such file, or the word `max`
        return None


def _look() -> _Look | None:
    """Return what this process's cores have done. None on a system without /proc."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
        ticks = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None
    counted = (0, 2, 5, 6, 7) if os.nice(0) <= 0 else (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal
    busy = 0.0
    for line in lines:
        name, *numbers = line.split()
        if name[:3] == "cpu" and name[3:].isdecimal() and int(name[3:]) in _affinity():
            busy += sum(int(numbers[place]) for place in counted) / ticks
    own = os.times()
    return _Look(time.monotonic(), busy, sum(own[:4]))
