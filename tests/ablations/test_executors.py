"""Every executor gives the same rows. SLURM itself cannot run here: submitit's own local cluster stands for it."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from run_support import same_run
from sweep_support import BASE, tasks, tiny_manifest

from gan.ablations.executors import Executor
from gan.ablations.executors.local import Local, Slot
from gan.ablations.executors.ray import Ray
from gan.ablations.executors.slurm import Slurm
from gan.ablations.sweep import sweep

pytestmark = pytest.mark.slow
MEASURED = {
    **BASE,
    "scalars": {"every_n_steps": 2},
    "evaluation": {"every_n_steps": 3, "num_samples": 50},
    "image_grid": {"every_n_steps": 3, "num_images": 12},
}


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("local") / "tiny"
    found = tasks(place, tiny_manifest(base=MEASURED))
    assert sweep(found, Local([Slot(1)] * 2)) == (0, {"finished": 4})
    return place


def executors(name: str) -> Executor:
    if name == "slurm":
        pytest.importorskip("submitit")
        return Slurm({"cluster": "local", "timeout_min": 10}, threads=1)
    pytest.importorskip("ray")
    return Ray({"num_cpus": 2}, threads=1)


@pytest.mark.parametrize("name", ["slurm", "ray"])
def test_another_executor_makes_the_same_runs(name, local, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "3")  # of an allocation in which the sweep was started
    monkeypatch.setenv("SLURM_NTASKS", "8")
    place = tmp_path / "tiny"
    found = tasks(place, tiny_manifest(base=MEASURED))
    assert sweep(found, executors(name)) == (0, {"finished": 4})
    for task in found:
        same_run(local / task.name, place / task.name)
        assert list((place / task.name).glob("events.out.tfevents.*"))


def test_a_killed_worker_of_a_ray_cluster_is_tried_again(local, tmp_path):
    place = tmp_path / "tiny"
    found = tasks(place, tiny_manifest(base=MEASURED))
    killed = []

    def kill_the_first() -> None:
        while not (owners := [file for file in place.parent.glob(".made/*/owner.json") if file.stat().st_size]):
            time.sleep(0.01)
        killed.append(json.loads(owners[0].read_text())["pid"])
        os.kill(killed[0], signal.SIGKILL)

    threading.Thread(target=kill_the_first).start()
    assert sweep(found, executors("ray")) == (0, {"finished": 4})
    assert killed
    for task in found:
        same_run(local / task.name, place / task.name)
