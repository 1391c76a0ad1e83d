"""Sweeps make each run once, whatever happens to their processes."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from run_support import same_end
from sweep_support import BASE, Forked, swept, tasks, tiny_manifest

from gan.ablations.claims import failure_file
from gan.ablations.estimate import cost_of
from gan.ablations.executors.local import Slot, slots_of
from gan.ablations.planning import Task
from gan.ablations.sweep import sweep
from gan.base.errors import UserError
from gan.runs.fit import fit
from gan.runs.reader import Run

ARMS = ("normal", "uniform")
ONE_SEED = tiny_manifest(seeds=[1])


def same_runs(first: Path, second: Path) -> None:
    """All runs of two sweeps ended in the same weights, bit for bit."""
    for arm in ARMS:
        same_end(first / arm / "seed_1", second / arm / "seed_1")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """An undisturbed sweep."""
    place = tmp_path_factory.mktemp("runs") / "tiny"
    assert swept(place, ONE_SEED) == {"finished": 2}
    return place


def test_a_run_of_a_sweep_is_that_of_gan_fit(done, tmp_path):
    settings = {**BASE, "trainer": {**BASE["trainer"], "max_steps": 6}}
    recipe = BASE["model"]["recipe"] | {"prior": "uniform"}
    settings |= {"model": "MLPGAN", "recipe": recipe, "threads": 1}
    fit(**settings, run=tmp_path / "alone")
    same_end(tmp_path / "alone", done / "uniform" / "seed_1")


def test_the_same_line_again_does_nothing(done):
    before = {file: file.stat().st_mtime_ns for file in done.rglob("*") if file.is_file()}
    assert swept(done, ONE_SEED) == {"finished": 2}
    assert {file: file.stat().st_mtime_ns for file in done.rglob("*") if file.is_file()} == before


def test_another_sweep_with_the_same_runs_links_to_them(done):
    manifest = tiny_manifest("other", arms={"same": {}, "minimax": {"loss": "minimax"}}, seeds=[1])
    other = done.parent / "other"
    assert swept(other, manifest) == {"finished": 2}
    assert (other / "same" / "seed_1").is_symlink()
    assert (other / "same" / "seed_1").resolve() == (done / "normal" / "seed_1").resolve()
    assert not (other / "minimax" / "seed_1").is_symlink()


def test_packed_seeds_are_one_program(tmp_path):
    manifest = tiny_manifest(arms={"normal": {}}, keep="none", budgets={"full": 1})
    place = tmp_path / "tiny"
    assert swept(place, manifest, packed=True) == {"finished": 1}
    for run in (Run(place / "normal" / f"seed_{seed}") for seed in (1, 2)):
        assert run.provenance[0]["copies"] == 2
        assert (run.state, run.checkpoints) == ("finished", {})
    assert swept(place, manifest, packed=True) == {"finished": 1}


def test_of_two_sweeps_at_once_one_is_killed_and_a_worker_of_the_other(done, tmp_path):
    place, mine, killed = tmp_path / "tiny", Forked([Slot(1)]), []
    found = tasks(place, ONE_SEED)
    other = multiprocessing.get_context("fork").Process(target=swept, args=(place, ONE_SEED, 1))

    def kill(task: Task, what: str) -> None:
        if what == "started" and not killed:
            killed.append(mine.running[0].process.pid)
            os.kill(killed[0], signal.SIGKILL)
            os.kill(other.pid, signal.SIGKILL)  # its worker stops by itself

    other.start()
    while not list(place.glob("*/seed_1.log")):
        time.sleep(0.01)
    assert mine.carry_out(found, kill) == 0
    other.join()
    assert killed
    same_runs(done, place)
    assert not list(place.rglob("*.failed.json"))


def _killed(task: Task, threads: int | None) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def _settles(task: Task, threads: int | None) -> int:
    return 0


def _hangs(task: Task, threads: int | None) -> int:
    time.sleep(60)
    return 0


@pytest.mark.parametrize(
    ("work", "limit", "how"), [(_killed, 600, "killed by SIGKILL, 2 times"), (_hangs, 0.5, "hung, 2 times")]
)
def test_a_run_that_is_killed_or_hangs_twice_has_failed_until_it_is_retried(work, limit, how, tmp_path):
    place = tmp_path / "tiny"
    found = tasks(place, ONE_SEED)[:1]
    assert sweep(found, Forked([Slot(1)], hangs_after=limit, work=work)) == (0, {"failed": 1})
    assert how in failure_file(found[0].directory).read_text()
    assert sweep(found, Forked([Slot(1)], work=work)) == (0, {"failed": 1})
    assert sweep(found, Forked([Slot(1)], work=_settles), retry_failed=True) == (0, {"waiting": 1})
    assert not failure_file(found[0].directory).exists()


def _finds_the_disk_full(task: Task, threads: int | None) -> int:
    return 4


def test_a_full_disk_stops_the_sweep(tmp_path):
    found = tasks(tmp_path / "tiny")
    assert sweep(found, Forked([Slot(1)], work=_finds_the_disk_full)) == (4, {"waiting": 4})


def test_an_error_of_one_run_is_recorded_and_the_others_go_on(tmp_path):
    place = tmp_path / "tiny"
    found = tasks(place, ONE_SEED)
    (place / "normal").mkdir(parents=True)
    (place / "normal" / "seed_1").write_text("a file where a run should be")
    assert sweep(found, Forked([Slot(1)] * 2)) == (0, {"failed": 1, "finished": 1})
    assert "UserError" in failure_file(found[0].directory).read_text()


def test_a_signal_stops_runs_at_the_end_of_an_update_and_the_line_goes_on(tmp_path):
    manifest = tiny_manifest(seeds=[1], budgets={"full": 300})
    place = tmp_path / "tiny"
    found = tasks(place, manifest)[:1]

    def interrupt() -> None:
        while any((record := Run(task.directory).record) is None or record.step == 0 for task in found):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    code, counts = sweep(found, Forked([Slot(1)]))
    assert (code, counts["stopped"] + counts["finished"]) == (130, 1)
    assert sweep(found, Forked([Slot(1)])) == (0, {"finished": 1})


def test_the_machine_is_shared_out(monkeypatch):
    monkeypatch.setattr("gan.base.cores.usable", lambda: 8)
    assert slots_of() == [Slot(1)] * 8
    assert slots_of(workers=3) == [Slot(2)] * 3
    assert slots_of(threads=4) == [Slot(4)] * 2
    two_each = [Slot(2, "0"), Slot(2, "1"), Slot(2, "0"), Slot(2, "1")]
    assert slots_of(per_gpu=2, devices=["0", "1"]) == two_each
    assert slots_of(workers=1, per_gpu=2, devices=["0", "1"]) == [Slot(8, "0")]


def _writes_its_device(task: Task, threads: int | None) -> int:
    task.directory.mkdir(parents=True)
    (task.directory / "device").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    time.sleep(0.3)
    return 0


def test_workers_see_one_gpu_each(tmp_path):
    found = tasks(tmp_path / "tiny")
    Forked(slots_of(devices=["3", "5"]), work=_writes_its_device).carry_out(found, lambda task, what: None)
    assert sorted((task.directory / "device").read_text() for task in found) == ["3", "3", "5", "5"]


def test_a_sweep_that_has_begun_gets_more_seeds_and_no_other_change(done):
    assert len(tasks(done, tiny_manifest(seeds=[2, 1]))) == 4
    with pytest.raises(UserError, match=r"has arms\.uniform\.prior \"uniform\", and \"bernoulli\" is given"):
        tasks(done, tiny_manifest(arms={"normal": {}, "uniform": {"prior": "bernoulli"}}))


def test_the_cost_of_runs_is_that_of_finished_ones(done):
    found = tasks(done, tiny_manifest(seeds="1-2"))
    size = sum(file.stat().st_size for file in (done / "normal" / "seed_1").rglob("*") if file.is_file())
    assert cost_of(found, 1).size == pytest.approx(4 * size, rel=0.1)


@pytest.mark.slow
def test_the_cost_of_a_new_sweep_is_measured(tmp_path):
    base = BASE | {"evaluation": {"every_n_steps": 100, "num_samples": 50}, "scalars": {"every_n_steps": 100}}
    (task, *_) = tasks(tmp_path / "tiny", tiny_manifest(base=base, budgets={"full": 400}, keep="generator"))
    guess = cost_of([task], 1)
    before = time.monotonic()
    assert sweep([task], Forked([Slot(1)])) == (0, {"finished": 1})
    assert guess.seconds == pytest.approx(time.monotonic() - before, rel=2)
    size = sum(file.stat().st_size for file in task.directory.rglob("*") if file.is_file())
    assert guess.size == pytest.approx(size, rel=0.5)
