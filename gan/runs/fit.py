"""`fit` and `resume`: from a composed configuration to a trained run."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonargparse
import pytorch_lightning as pl
from pytorch_lightning.callbacks import LambdaCallback
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from gan.base.choices import foreign_names, import_from, merge
from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.data.dataset import importable
from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe
from gan.runs import directory as run_directory
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.hyperparameters import Hyperparameters
from gan.runs.callbacks.interrupt import Interrupt
from gan.runs.callbacks.progress import Progress
from gan.runs.checkpoint import find_checkpoint, read_checkpoint, refuse_foreign
from gan.runs.config import CALLBACKS, Flags, compose, read_config, resolve_model, variant_class
from gan.runs.provenance import provenance
from gan.runs.trainer import TRAINER_DEFAULTS, NoProfiler, check_trainer, logger

MAY_CHANGE = ("trainer", "scalars", "image_grid", "evaluation", "checkpoints")  # and data.root, on resuming
EXPECTED_WARNINGS = (
    ".*does not have many workers.*",  # batches are drawn on the device
    ".*`IterableDataset` has `__len__`.*",
    ".*smaller than the logging.*",
    r"torch\.distributed\.nn\.functional\.all_gather is deprecated",  # Lightning's own, with several processes
    r"`isinstance\(treespec, LeafSpec\)`",  # Lightning's own, at every start
)


class _CLI(LightningCLI):
    """LightningCLI over a tree that is already composed: it checks the types and builds the objects."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for section, callback in CALLBACKS.items():
            parser.add_lightning_class_args(callback, section)
        for argument in ("image_shape", "num_classes"):
            parser.link_arguments(f"data.{argument}", f"model.init_args.{argument}", apply_on="instantiate")

    def instantiate_trainer(self, **settings: Any) -> pl.Trainer:
        """Lightning's, with its many kinds of complaint as one."""
        if self._get(self.config_init, "trainer")["profiler"] is None:
            settings["profiler"] = NoProfiler()
        try:
            return super().instantiate_trainer(**settings)
        except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
            raise _user_error(error, "trainer: ") from None


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    directory: Path
    step: int
    is_global_zero: bool  # whether this process speaks for all
    signal: int | None  # that stopped it
    report: dict[str, Any] | None  # the last measurement on test images


def fit(flags: Flags) -> Outcome:
    """Train a new run from flags and configs."""
    tree = compose(flags)
    import_from(tree.get("pythonpath"))
    tree = resolve_model(tree)
    tree.setdefault("seed_everything", 1)
    _check_seed(tree["seed_everything"])
    variant = variant_class(tree["model"]["class_path"])
    default = Path("runs") / _name(flags.configs) / variant.__name__ / f"seed_{tree['seed_everything']}"
    directory = Path(tree.get("run") or default)
    tree["run"] = str(directory)
    if list(foreign_names([tree["model"], importable(tree.get("data", {}).get("name")), tree.get("trainer")])):
        tree.setdefault("pythonpath", str(Path.cwd()))
    tree["trainer"] = TRAINER_DEFAULTS | tree.get("trainer", {})
    cli = _build(tree, directory, first_step=None)
    if cli.trainer.is_global_zero:
        run_directory.create(directory, _resolved(cli, tree), overwrite="overwrite" in flags.switches)
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
    refuse_foreign(importable(tree.get("data", {}).get("name")), allow_import, str(config), called=True)
    refuse_foreign(tree.get("trainer"), [*allow_import, "pytorch_lightning"], str(config))  # its callbacks and loggers
    _refuse_files(tree.get("trainer"), config)
    if allow_import:
        import_from(tree.get("pythonpath"))
    tree = resolve_model(merge(tree, compose(flags)))
    tree["trainer"] = TRAINER_DEFAULTS | tree.get("trainer", {})
    try:
        checkpoint = find_checkpoint(directory)
    except UserError:
        raise UserError(
            f"{directory} has no checkpoints/last_step_*.ckpt to go on from; "
            f"start it again with gan fit --config {config} --run {directory} --overwrite"
        ) from None
    content = read_checkpoint(checkpoint)
    refuse_foreign({"class_path": content["adversarial"]["variant"]}, allow_import, str(checkpoint))
    refuse_foreign(content["hyper_parameters"], allow_import, str(checkpoint))
    recipe = Recipe.from_dict(tree["model"]["init_args"]["recipe"]).to_dict()
    # An older checkpoint lacks newer fields, whose defaults are what it was trained with.
    trained = content["hyper_parameters"].get("recipe")
    if not isinstance(trained, Mapping) or Recipe.from_dict(trained).to_dict() != recipe:
        raise UserError(f"{checkpoint}: was trained with another recipe than {config} says; restore that file")
    step, last = content["global_step"], tree["trainer"]["max_steps"]
    if isinstance(last, int) and step >= last > -1:
        raise UserError(f"{directory} has done its {step} steps; to go on give --trainer.max_steps N with N > {step}")
    cli = _build(tree, directory, first_step=step)
    return _train(cli, tree, directory, checkpoint)


def _name(configs: list[str]) -> str:
    """Of the run: the last config that says something about the model names it, not one that only says where to run."""
    named = [config for config in configs if "model" in read_config(config)]
    return Path((named[-1:] or configs[:1] or ["fit"])[0]).stem


def _refuse_files(tree: Any, config: Path) -> None:
    """jsonargparse reads a file where a callback or logger is a string that names one; there anything could stand."""
    if isinstance(tree, str) and Path(tree).is_file():
        raise UserError(f"{config}: trainer names the file {tree}; a run's configuration must stand alone")
    for item in tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ():
        _refuse_files(item, config)


def _check_seed(seed: Any) -> None:
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise UserError(f"seed_everything must be a whole number from 0 to {2**32 - 1}, got {seed!r}")


def _build(tree: dict[str, Any], directory: Path, first_step: int | None) -> LightningCLI:
    """Check the tree, build trainer, model and data, and read the data; nothing is written yet."""
    arguments = {k: v for k, v in tree.items() if k not in ("run", "pythonpath")}
    settings = dict(arguments["trainer"])
    check_trainer(settings)
    arguments["trainer"] = settings
    callbacks: list[pl.Callback] = [Hyperparameters(), Interrupt()]
    if settings.get("enable_progress_bar", True):
        callbacks.append(Progress())
    defaults = {"callbacks": callbacks, "enable_model_summary": False, "default_root_dir": str(directory)}
    settings["logger"] = logger(settings.get("logger", True), directory, first_step)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
        try:
            cli = _CLI(
                AdversarialModule,
                ImageDataModule,
                subclass_mode_model=True,
                args=arguments,
                run=False,
                save_config_callback=None,
                trainer_defaults=defaults,
                parser_kwargs={"exit_on_error": False},
            )
        except (jsonargparse.ArgumentError, ValueError) as error:
            raise _user_error(error) from None
    if cli.trainer.is_global_zero:  # where mistakes show; for the others Lightning prepares the data, once a node
        cli.datamodule.prepare_data()
        cli.datamodule.setup()
    cli.trainer.run_directory = directory  # type: ignore[attr-defined]  # where the callbacks write, whatever the logger
    return cli


def _train(cli: LightningCLI, tree: dict[str, Any], directory: Path, checkpoint: Path | None) -> Outcome:
    trainer, model, data = cli.trainer, cli.model, cli.datamodule
    # Once everything is restored, so that a refused resumption leaves the run as it was.
    record = LambdaCallback(on_train_start=lambda trainer, model: _record(cli, tree, directory, checkpoint))
    trainer.callbacks.insert(0, record)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        try:
            trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
        except SystemExit:  # how Lightning ends at once: after a second Ctrl-C, or one before the first update
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
    callbacks = {type(c): c for c in trainer.callbacks}  # type: ignore[attr-defined]
    received = callbacks[Interrupt].received
    evaluation: Evaluation = callbacks[Evaluation]
    return Outcome(
        directory,
        step=trainer.global_step,
        is_global_zero=trainer.is_global_zero,
        signal=received.value if received and not _launched_by_lightning(trainer) else None,
        report=evaluation.report,
    )


def _launched_by_lightning(trainer: pl.Trainer) -> bool:
    """Whether Lightning in rank 0 started this process: it would kill rank 0 for any exit code of this one but 0."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return isinstance(environment, LightningEnvironment) and not trainer.is_global_zero


def _resolved(cli: LightningCLI, tree: dict[str, Any]) -> dict[str, Any]:
    """The tree with all values of data and callbacks."""
    full = cli.config.as_dict() if hasattr(cli.config, "as_dict") else dict(cli.config)
    sections = {section: {k: v for k, v in full[section].items() if k != "data"} for section in CALLBACKS}
    return tree | sections | {"data": full["data"]}


def _record(cli: LightningCLI, tree: dict[str, Any], directory: Path, checkpoint: Path | None) -> None:
    """Where the run comes from; a resumed one forgets what it will do again, and saves what the flags changed."""
    trainer, model, data = cli.trainer, cli.model, cli.datamodule
    if not trainer.is_global_zero:
        return
    if checkpoint:
        run_directory.forget_after(directory, trainer.global_step)
        run_directory.write_config(directory, _resolved(cli, tree))
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "resumed_from": checkpoint.name if checkpoint else None,
        **provenance(type(model), data.loaded.provenance, model.device, str(trainer.precision)),
    }
    run_directory.write_provenance(directory, entry)


def _user_error(error: BaseException, where: str = "") -> UserError:
    """The UserError inside what jsonargparse and Lightning raise, or the telling part of their message, in one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return cause
        cause = cause.__cause__ or cause.__context__
    message = str(error)
    key = re.search(r'Parser key "([^"]*)"', message)
    if key is None:
        return UserError(where + " ".join(message.split())[:300])
    # A union of types complains once for each of them, then says what it got.
    complaints = re.findall(r"^\s*- (.*(?:\n {6,}.*)?)$", message, re.MULTILINE) or [message.split(":", 1)[1]]
    complaints = [" ".join(c.split()) for c in complaints if "NoneType" not in c and "Does not validate" not in c]
    given = re.search(r"Given value: (.{1,80})", message)
    text = re.sub(r"<class '([^']*)'>", r"\1", "; ".join(dict.fromkeys(complaints)))[:240]
    return UserError(f"{key[1]}: {text}" + (f"; got {given[1]}" if given and "ot value" not in text else ""))
