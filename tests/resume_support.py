"""Runs that are stopped in the middle of an update, or killed there, and go on. Also runs under two processes."""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from run_support import same_run
from support import EVERY, tiny_change

import gan

STEPS = 9
# Checkpoints and measurements fall on other steps, and at most checkpoints a window of scalars is open.
CADENCES: dict[str, Any] = {
    "checkpoints": {"every_n_steps": 3, "milestones": [2, 5]},
    "evaluation": {"every_n_steps": 4, "num_samples": 20},
    "image_grid": {"every_n_steps": 4, "num_images": 4},
    "scalars": {"every_n_steps": 2},
}


class Stop(pl.Callback):
    """Does something once, in the middle of the n-th update that begins at a step of the clock."""

    def __init__(self, how: str, step: int, nth: int) -> None:
        self.how, self.step, self.left = how, step, nth

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if trainer.global_step == self.step:
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
            shutil.copytree(directory, directory.with_name("kill"))


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

    whole = fit("whole", *(how for how in stops if how == "kill"))
    for how in stops:
        run = home / "kill" if how == "kill" else fit(how, how, **({"max_time": "00:00:00:01"} if how == "time" else {}))
        if Path(os.environ.get("LOCAL_RANK", "0")).name == "0":
            grow_old(run)
            if how == "kill":  # in the middle of a row, too
                with (run / "metrics.jsonl").open("a") as file:
                    file.write('{"step": 1, "fi')
        gan.resume(run, trainer={"callbacks": None, "max_time": None}, allow_import=[__name__, "mylab"])
        same_run(whole, run)


def grow_old(run: Path) -> None:
    """Rename a run's events as if they were of an earlier second: TensorBoard sorts files by name, a name has one."""
    for number, file in enumerate(sorted(run.glob("events.out.tfevents.*"))):
        _, _, _, _, *rest = file.name.split(".")
        file.rename(file.with_name(".".join(["events.out.tfevents", f"{number:010d}", *rest])))
