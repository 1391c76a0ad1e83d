"""`fit` and `resume`: from a composed configuration to a trained run."""

import sys
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonargparse
import pytorch_lightning as pl
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from gan.callbacks.evaluation import Evaluation
from gan.callbacks.hyperparameters import Hyperparameters
from gan.callbacks.interrupt import Interrupt
from gan.callbacks.progress import Progress
from gan.checkpoint import find_checkpoint, read_checkpoint, refuse_foreign
from gan.choices import foreign_names, merge
from gan.config import CALLBACKS, Flags, compose, resolve_model, variant_class
from gan.data.datamodule import ImageDataModule
from gan.errors import UserError
from gan.experiments import run_directory
from gan.module import AdversarialModule
from gan.provenance import provenance

MAY_CHANGE = ("trainer", "scalars", "image_grid", "evaluation", "checkpoints")  # and data.root, on resuming
DDP = "ddp_find_unused_parameters_true"  # what plain ddp must be where two networks alternate
TRAINER_DEFAULTS = {"max_epochs": -1, "devices": 1, "accelerator": "auto", "strategy": "auto", "max_steps": 10_000}


class _CLI(LightningCLI):
    """LightningCLI over a tree that is already composed: it checks the types and builds the objects."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for section, callback in CALLBACKS.items():
            parser.add_lightning_class_args(callback, section)  # type: ignore[arg-type]
        for argument in ("image_shape", "num_classes"):
            parser.link_arguments(f"data.{argument}", f"model.init_args.{argument}", apply_on="instantiate")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    directory: Path
    step: int
    signal: int | None  # that stopped it
    report: dict[str, Any] | None  # the last measurement on test images


def fit(flags: Flags) -> Outcome:
    """Train a new run from flags and configs."""
    tree = compose(flags)
    tree.setdefault("seed_everything", 1)
    _check_seed(tree["seed_everything"])
    tree = resolve_model(tree)
    variant = variant_class(tree["model"]["class_path"])
    name = Path(flags.configs[-1]).stem if flags.configs else "fit"
    default = Path("runs") / name / variant.__name__ / f"seed_{tree['seed_everything']}"
    directory = Path(tree.get("run") or default)
    tree["run"] = str(directory)
    if list(foreign_names(tree)):
        tree.setdefault("pythonpath", str(Path.cwd()))
    trainer_arguments = TRAINER_DEFAULTS | tree.get("trainer", {})
    tree["trainer"] = trainer_arguments
    cli = _build(tree, directory, first_step=None, prepare=lambda: run_directory.create(directory, _overwrite(flags)))
    return _train(cli, tree, directory, checkpoint=None)


def resume(directory: Path, flags: Flags, allow_import: list[str]) -> Outcome:
    """Go on with a run from its last checkpoint; what the flags may change is in MAY_CHANGE."""
    config = directory / run_directory.CONFIG
    if not config.is_file():
        raise UserError(f"{directory}: not a run (it has no {run_directory.CONFIG}); give the directory of a gan fit")
    for key, _ in flags.values:
        if key.split(".")[0] not in MAY_CHANGE and key != "data.root":
            raise UserError(
                f"--{key} may not change on resuming, only {', '.join(f'{s}.*' for s in MAY_CHANGE)} and data.root; "
                "start another run with gan fit"
            )
    tree = compose(Flags(configs=[str(config)]))
    refuse_foreign(tree.get("model"), allow_import, str(config))
    refuse_foreign(tree.get("data"), allow_import, str(config))
    if allow_import and tree.get("pythonpath") and tree["pythonpath"] not in sys.path:
        sys.path.insert(0, tree["pythonpath"])
    tree = resolve_model(merge(tree, compose(flags)))
    checkpoint = find_checkpoint(directory)
    content = read_checkpoint(checkpoint)
    refuse_foreign({"class_path": content["adversarial"]["variant"]}, allow_import, str(checkpoint))
    refuse_foreign(content["hyper_parameters"], allow_import, str(checkpoint))
    step = content["global_step"]
    if step >= tree["trainer"]["max_steps"] > -1:
        raise UserError(f"{directory} has done its {step} steps; to go on give --trainer.max_steps N with N > {step}")
    cli = _build(tree, directory, first_step=step, prepare=lambda: run_directory.forget_after(directory, step))
    if cli.model.hparams["recipe"] != content["hyper_parameters"]["recipe"]:
        raise UserError(f"{checkpoint}: was trained with another recipe than {config} says; restore that file")
    return _train(cli, tree, directory, checkpoint)


def _overwrite(flags: Flags) -> bool:
    return "overwrite" in flags.switches


def _check_seed(seed: Any) -> None:
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise UserError(f"seed_everything must be a whole number from 0 to {2**32 - 1}, got {seed!r}")


def _build(tree: dict[str, Any], directory: Path, first_step: int | None, prepare: Any) -> LightningCLI:
    """Check the tree, then let `prepare` claim the directory, and build trainer, model and data."""
    arguments = {k: v for k, v in tree.items() if k not in ("run", "pythonpath")}
    settings = dict(arguments["trainer"])
    _check_strategy(settings)
    arguments["trainer"] = settings
    callbacks: list[pl.Callback] = [Progress(), Hyperparameters(), Interrupt()]
    defaults = {"callbacks": callbacks, "enable_model_summary": False, "default_root_dir": str(directory)}
    settings.setdefault("logger", _tensorboard(directory, first_step))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
        try:
            cli = _ParsedCLI(
                AdversarialModule,
                ImageDataModule,
                subclass_mode_model=True,
                args=arguments,
                run=False,
                save_config_callback=None,
                trainer_defaults=defaults,
                parser_kwargs={"exit_on_error": False},
                before_instantiation=prepare if rank_zero_only.rank == 0 else lambda: None,
            )
        except jsonargparse.ArgumentError as error:
            raise UserError(_brief(str(error))) from None
        except MisconfigurationException as error:
            raise UserError(f"trainer: {_brief(str(error))}") from None
    return cli


class _ParsedCLI(_CLI):
    """Runs a function between parsing, which may fail, and instantiation."""

    def __init__(self, *args: Any, before_instantiation: Any, **kwargs: Any) -> None:
        self._before_instantiation = before_instantiation
        super().__init__(*args, **kwargs)

    def before_instantiate_classes(self) -> None:
        self._before_instantiation()


def _tensorboard(directory: Path, first_step: int | None) -> dict[str, Any]:
    """TensorBoard's logger with the run's directory as its own; events after `first_step` are superseded."""
    arguments = {"save_dir": str(directory), "name": "", "version": "", "default_hp_metric": False}
    if first_step is not None:
        arguments["purge_step"] = first_step + 1  # type: ignore[assignment]
    return {"class_path": f"{TensorBoardLogger.__module__}.TensorBoardLogger", "init_args": arguments}


def _check_strategy(settings: dict[str, Any]) -> None:
    """Plain ddp, and several devices, become the DDP that alternating networks need; clipping and the like are refused."""
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
            raise UserError(f"trainer.{name}: Lightning ignores or refuses it where two optimizers alternate; remove it")


def _train(cli: LightningCLI, tree: dict[str, Any], directory: Path, checkpoint: Path | None) -> Outcome:
    trainer, model, data = cli.trainer, cli.model, cli.datamodule
    data.prepare_data()
    data.setup()
    if trainer.is_global_zero:
        saved = dict(tree)
        full = cli.config.as_dict() if hasattr(cli.config, "as_dict") else dict(cli.config)
        for section in CALLBACKS:
            saved[section] = {k: v for k, v in full[section].items() if k != "data"}
        saved["data"] = full["data"]
        run_directory.write_config(directory, saved)
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "resumed_from": checkpoint.name if checkpoint else None,
            **provenance(type(model), data.loaded.provenance, model.device, str(trainer.precision)),
        }
        run_directory.write_provenance(directory, entry)
    with warnings.catch_warnings():
        for message in (".*does not have many workers.*", ".*`IterableDataset` has `__len__`.*", ".*smaller than the logging.*"):
            warnings.filterwarnings("ignore", message=message)
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
    callbacks = {type(c): c for c in trainer.callbacks}  # type: ignore[attr-defined]
    received = callbacks[Interrupt].received
    evaluation: Evaluation = callbacks[Evaluation]
    return Outcome(directory, trainer.global_step, received.value if received else None, evaluation.report)


def _brief(message: str) -> str:
    """The first telling lines of a long message, as one."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(lines[:2])[:300]

