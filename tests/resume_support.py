"""Runs that are stopped in the middle of an update, or killed anywhere, and go on."""

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from run_support import same_run, statistics_once
from support import EVERY, tiny_change
from torch import distributed

import gan
from gan.data.datamodule import ImageDataModule
from gan.measure.measurement import Measurement
from gan.runs.checkpoint import read_checkpoint
from gan.runs.reader import Run

STEPS = 9
# Checkpoints and measurements fall on other steps, and at most checkpoints a window of scalars is open.
CADENCES: dict[str, Any] = {
    "checkpoints": {"every_n_steps": 3, "milestones": [2, 5]},
    "evaluation": {"every_n_steps": 4, "num_samples": 20},
    "image_grid": {"every_n_steps": 4, "num_images": 4},
    "scalars": {"every_n_steps": 2},
}


class Stop(pl.Callback):
    """Does something once, in the middle of the n-th update from a step of the clock on."""

    def __init__(self, how: str, step: int, nth: int) -> None:
        self.how, self.step, self.left = how, step, nth

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if trainer.global_step >= self.step:
            self.left -= 1
            if not self.left:
                getattr(self, self.how)(trainer)

    def signal(self, trainer: pl.Trainer) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def callback(self, trainer: pl.Trainer) -> None:
        trainer.should_stop = True

    def time(self, trainer: pl.Trainer) -> None:
        time.sleep(1.1)

    def kill(self, trainer: pl.Trainer) -> None:
        """Copy the run as kill -9 would leave it now."""
        if trainer.is_global_zero:
            directory = Path(trainer.run_directory)  # type: ignore[attr-defined]
            shutil.copytree(directory, directory.with_name(self.how))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Copy the run as it is after its last step and before its report."""
        if self.how == "end":
            self.kill(trainer)


def settings(variant: str, change: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `gan.fit` for a tiny run with everything on."""
    name = f"{EVERY[variant].__module__}.{variant}"
    recipe: dict[str, Any] = {**tiny_change(variant), **change}
    for network in ("generator", "discriminator"):
        recipe[network] = tiny_change(variant)[network] | change.get(network, {})
    return {"model": name, "recipe": recipe, "data": {"source": "embedded"}, **CADENCES}


def law(variant: str, change: dict[str, Any], stops: dict[str, tuple[int, int]], home: Path, **trainer: Any) -> None:
    """A run that is stopped at (step, n-th update) in each of these ways and goes on is the run that is not."""
    given = settings(variant, change)
    trainer = {"max_steps": STEPS, "accelerator": "cpu", "enable_progress_bar": False, **trainer}

    def fit(name: str, *stop: str, **more: Any) -> Path:
        callbacks = [
            {"class_path": f"{__name__}.Stop", "init_args": {"how": how, "step": stops[how][0], "nth": stops[how][1]}}
            for how in stop
        ]
        gan.fit(**given, trainer={**trainer, "callbacks": callbacks, **more}, run=home / name)
        return home / name

    whole = fit("whole", *(how for how in stops if how in ("kill", "end")))
    for how in stops:
        limit = {"max_time": "00:00:00:01"} if how == "time" else {}
        run = home / how if how in ("kill", "end") else fit(how, how, **limit)
        _meet()
        if os.environ.get("LOCAL_RANK", "0") == "0":
            grow_old(run)
            if how == "kill":  # in the middle of a row, too
                with (run / "metrics.jsonl").open("a") as file:
                    file.write('{"step": 1, "fi')
        _meet()
        gan.resume(run, trainer={"callbacks": None, "max_time": None}, allow_import=[__name__, "mylab"])
        _meet()
        same_run(whole, run)


def _meet() -> None:
    """Wait for the other processes, if there are any."""
    if distributed.is_initialized():
        distributed.barrier()


def laws(home: str, cases: str) -> None:
    """The law for each of [variant, change, stops], in JSON, in one of two processes."""
    with statistics_once():
        for number, (variant, change, stops) in enumerate(json.loads(cases)):
            law(variant, change, stops, Path(home) / f"{number}", devices=2, strategy="ddp")


def grow_old(run: Path) -> None:
    """Rename a run's events as if they were of an earlier second: TensorBoard sorts files by name, a name has one."""
    for number, file in enumerate(sorted(run.glob("events.out.tfevents.*"))):
        _, _, _, _, *rest = file.name.split(".")
        file.rename(file.with_name(".".join(["events.out.tfevents", f"{number:010d}", *rest])))


OFTEN = {**CADENCES, "checkpoints": {"every_n_steps": 1}}  # half of the time goes into saving


def kill_at_random(run: Path, kills: int, seed: int) -> int:
    """Start a run and go on with it in processes that are killed at random moments. Returns how many were saving.

    After each kill the newest checkpoint loads, and no row stands twice.
    """
    chance, saving = random.Random(seed), 0
    with statistics_once():  # no gradients here: they cannot be taken in a process forked from one that took some
        data = ImageDataModule(source="embedded")
        data.setup()
        for role in ("selection", "report"):
            measurement = Measurement(data.loaded, role, 20, trained_on=data.loaded.train)
            _ = measurement.real.seen, measurement.floor(measurement.measures[0])
        for _ in range(kills):
            before = Run(run).step
            child = os.fork()
            if child == 0:
                _train_for_ever(run, before)
            while Run(run).step == before:  # it is under way
                assert os.waitpid(child, os.WNOHANG) == (0, 0), "the process ended by itself"
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.5))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            saving += bool(list((run / "checkpoints").glob("*.part")))
            found = Run(run)
            assert read_checkpoint(found.checkpoint())["global_step"] == found.step
            steps = [(row["step"], row["metric"]) for row in found.rows]
            assert len(steps) == len(set(steps)), "a measurement stands twice"
            grow_old(run)
    return saving


def _train_for_ever(run: Path, step: int | None) -> None:
    """Train in this process until it is killed."""
    try:
        trainer = {"accelerator": "cpu", "enable_progress_bar": False, "max_steps": 10**6}
        if step is None:
            gan.fit(**settings("MLPGAN", {}) | OFTEN, trainer=trainer, run=run, overwrite=True)
        else:
            gan.resume(run)
    finally:
        os._exit(1)


def kills(run: str, number: str, seed: str) -> None:
    """Print what `kill_at_random` returns, for a process of its own."""
    print(json.dumps(kill_at_random(Path(run), int(number), int(seed))))
