"""Makes Lightning's Trainer of a run: its defaults, its logger, and what two alternating networks do not allow."""

import inspect
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import pytorch_lightning.loggers as loggers
from pytorch_lightning.profilers import PassThroughProfiler

from gan.base.choices import check_arguments
from gan.base.errors import UserError
from gan.engine.quick import pass_over_empty_hooks
from gan.runs.objects import KEYS, built
from gan.runs.world import refuse_another_world, refuse_synchronised_batch_norm, refuse_too_many

NOTHING = nullcontext()
DDP = "ddp_find_unused_parameters_true"  # the DDP that works where two networks alternate
PRECISIONS = ("32-true", "32", "bf16-mixed", "bf16", "16-mixed", "16")  # mixed ones use autocast; weights have 32 bits
NO_EFFECT = {  # argument that changes nothing here -> advice for its error line
    "log_every_n_steps": "use --scalars.every_n_steps",
    **dict.fromkeys(("val_check_interval", "check_val_every_n_epoch"), "use --evaluation.every_n_steps"),
    **dict.fromkeys(("limit_val_batches", "limit_test_batches"), "use --evaluation.num_samples"),
    **dict.fromkeys(("num_sanity_val_steps", "limit_predict_batches", "overfit_batches"), "nothing uses it"),
}
TRAINER_DEFAULTS = {
    **{"max_steps": 10_000, "max_epochs": -1},
    **{"accelerator": "auto", "devices": 1, "strategy": "auto", "precision": "32-true"},
}


class NoProfiler(PassThroughProfiler):
    """Does nothing, as Lightning's default does, but without an object for each of 150 hook calls a step (0.2 ms)."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """Return a context that does nothing."""
        return NOTHING


def logger(choice: Any, directory: Path, first_step: int | None) -> Any:
    """Return the loggers, as `objects.built` takes them. All write into the run.

    TensorBoard's is the default. It drops the events after `first_step`, which a resumed run writes again.
    """
    if isinstance(choice, list):
        return [logger(item, directory, first_step) for item in choice]
    if choice is True:
        choice = "TensorBoardLogger"
    if isinstance(choice, str):
        choice = {"class_path": choice}
    if not isinstance(choice, Mapping) or not isinstance(choice.get("init_args"), Mapping | None):
        return choice
    name = str(choice.get("class_path")).rpartition(".")[2]
    arguments: dict[str, Any] = {}
    target = getattr(loggers, name, None)
    if isinstance(target, type) and "save_dir" in inspect.signature(target).parameters:
        arguments = {"save_dir": str(directory)}
    if name == "TensorBoardLogger":
        arguments |= {"name": "", "version": "", "default_hp_metric": False}
        if first_step is not None:
            arguments["purge_step"] = first_step + 1
    return {**choice, "init_args": arguments | (choice.get("init_args") or {})}


def check_trainer(settings: dict[str, Any]) -> None:
    """Set the strategy to the DDP that two networks need, for plain ddp and for several devices.

    Raises UserError for what does not work with two optimizers, such as clipping, and for what would have no effect:
    there are no validation loops, and callbacks follow the generator's clock.
    """
    several = str(settings.get("devices", 1)) != "1" or settings.get("num_nodes", 1) != 1
    if settings.get("strategy") == "ddp" or (settings.get("strategy") == "auto" and several):
        settings["strategy"] = DDP
    if settings["strategy"] not in ("auto", DDP):
        raise UserError(
            f"trainer.strategy: {settings['strategy']!r} does not work with two alternating optimizers; "
            f"allowed: auto, ddp (run as {DDP})"
        )
    for name, neutral in (("gradient_clip_val", None), ("accumulate_grad_batches", 1)):
        if settings.get(name, neutral) not in (neutral, None):
            raise UserError(f"trainer.{name}: Lightning ignores or refuses it with two optimizers; remove it")
    for name, advice in NO_EFFECT.items():
        if settings.get(name) is not None:
            raise UserError(f"trainer.{name} has no effect here; {advice}")
    if str(settings.get("precision", "32")) not in PRECISIONS:
        raise UserError(
            f"trainer.precision: {settings['precision']!r} does not work here; allowed: auto, 32-true, bf16-mixed, "
            "16-mixed"
        )
    if settings.get("default_root_dir") is not None:
        raise UserError("trainer.default_root_dir: a run writes into its own directory; give --run DIR")
    refuse_too_many(settings)
    refuse_another_world(settings)
    refuse_synchronised_batch_norm(settings)


def checked(settings: dict[str, Any], directory: Path, first_step: int | None) -> dict[str, Any]:
    """Return the Trainer's arguments with their objects made. UserError for arguments that are unknown or useless."""
    settings = dict(settings)
    check_trainer(settings)
    settings["logger"] = logger(settings.get("logger", True), directory, first_step)
    check_arguments(pl.Trainer, {key: value for key, value in settings.items() if key not in KEYS}, "trainer")
    return {key: built(value, key) if key in KEYS else value for key, value in settings.items()}


def build_trainer(arguments: dict[str, Any], callbacks: list[pl.Callback], directory: Path) -> pl.Trainer:
    """Return Lightning's Trainer. Its errors become UserError. Environment variables PL_TRAINER_… change nothing."""
    arguments = {name: p.default for name, p in inspect.signature(pl.Trainer).parameters.items()} | arguments
    arguments["callbacks"] = [*(arguments["callbacks"] or []), *callbacks]
    arguments["profiler"] = arguments["profiler"] or NoProfiler()
    arguments |= {"default_root_dir": str(directory)}
    try:
        trainer = pl.Trainer(**arguments)
    except UserError:
        raise
    except Exception as error:  # MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError, …
        raise UserError(f"trainer: {' '.join(str(error).split())[:300]}") from error
    trainer.run_directory = directory  # type: ignore[attr-defined]  # the callbacks write there
    pass_over_empty_hooks(trainer.callbacks)  # type: ignore[attr-defined]
    return trainer
