"""Cores that a process may use, and how many of them are free."""

import os
import subprocess
import sys

import pytest

from gan.base import cores


def test_the_affinity_and_the_quota_bound_what_may_be_used(tmp_path, monkeypatch):
    """A quota cannot be set here: its files are written by this test."""
    whole = len(os.sched_getaffinity(0))
    monkeypatch.setattr(cores, "CGROUP", tmp_path)
    assert cores.usable() == whole
    for text, count in (("max 100000", whole), ("100000 100000", 1), ("150000 100000", 1), ("9900000 100000", whole)):
        (tmp_path / "cpu.max").write_text(text)
        assert cores.usable() == count
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    for quota, count in ((-1, whole), (100_000, 1)):
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
        assert cores.usable() == count
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores.usable() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_a_busy_neighbour_takes_a_core(monkeypatch):
    monkeypatch.setattr(cores, "WINDOW", 0.5)
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        cores.look()
        assert 0 <= cores.free() < cores.usable() - 0.2
    finally:
        neighbour.kill()
        neighbour.wait()


WAIT = """
import os
from gan.base import cores
cores.wait_briefly()
print({name: os.environ[name] for name in cores.VARIABLES if name in os.environ})
"""


@pytest.mark.parametrize("given", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}, {"KMP_BLOCKTIME": "0"}])
def test_threads_wait_briefly_unless_the_user_says_otherwise(given):
    kept = {name: value for name, value in os.environ.items() if name not in cores.VARIABLES}
    environment = kept | given | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    said = eval(subprocess.check_output([sys.executable, "-c", WAIT], env=environment, text=True))
    assert said == given or (not given and said in ({"OMP_WAIT_POLICY": "PASSIVE"}, {"GOMP_SPINCOUNT": cores.SPINS}))
