"""Trains a run from its plan."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.callbacks import LambdaCallback
from pytorch_lightning.plugins.environments import LightningEnvironment

from gan.base.errors import UserError
from gan.data.datamodule import ImageDataModule
from gan.engine.building import refuse_for_trainer
from gan.engine.formats import recorded_format, recorded_recipe
from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe
from gan.engine.saving import KEY
from gan.engine.structure import check_loops, check_optimizers, check_structure
from gan.runs import directory as run_directory
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.hyperparameters import Hyperparameters
from gan.runs.callbacks.interrupt import Interrupt
from gan.runs.callbacks.progress import Progress
from gan.runs.checkpoint import find_checkpoint, read_checkpoint, refuse_foreign
from gan.runs.config import Part
from gan.runs.fit import Outcome
from gan.runs.plan import CALLBACKS, Plan, plan
from gan.runs.process import as_in_a_process_of_its_own
from gan.runs.provenance import provenance
from gan.runs.trainer import build_trainer, checked
from gan.runs.trust import refuse_foreign_code

EXPECTED_WARNINGS = (
    ".*does not have many workers.*",  # batches are drawn on the device
    ".*`IterableDataset` has `__len__`.*",
    ".*smaller than the logging.*",
    r"torch\.distributed\.nn\.functional\.all_gather is deprecated",  # from Lightning, with several processes
    r"`isinstance\(treespec, LeafSpec\)`",  # from Lightning, at every start
)


class Run(NamedTuple):
    """The three objects of a training."""

    trainer: pl.Trainer
    model: AdversarialModule
    data: ImageDataModule


def start(sources: Sequence[Part], overwrite: bool) -> Outcome:
    """Train a new run."""
    with as_in_a_process_of_its_own():
        whole = plan(sources)
        directory = Path(whole.tree["run"])
        run = _build(whole, directory, first_step=None)
        refuse_for_trainer(run.trainer, run.model, whole.recipe)  # before a directory is made, or emptied
        if run.trainer.is_global_zero:
            run_directory.create(directory, whole.tree, overwrite)
        return _train(run, whole, directory, checkpoint=None)


def go_on(directory: Path, recorded: Part, change: Part, allow_import: Collection[str]) -> Outcome:
    """Go on with a run from its last checkpoint."""
    with as_in_a_process_of_its_own():
        config = directory / run_directory.CONFIG
        refuse_foreign_code(recorded.tree, directory, allow_import, str(config))
        if not allow_import:  # with it, code is imported from where the run found it
            recorded = replace(recorded, tree=recorded.tree | {"pythonpath": None})
        whole = plan([recorded, change])
        try:
            checkpoint = find_checkpoint(directory)
        except UserError:
            raise UserError(
                f"{directory} has no checkpoints/last_step_*.ckpt to go on from; "
                f"start it again with gan fit --config {config} --run {directory} --overwrite"
            ) from None
        content = read_checkpoint(checkpoint)
        check_structure(content, str(checkpoint))
        refuse_foreign({"class_path": content[KEY]["variant"]}, allow_import, str(checkpoint))
        refuse_foreign(content["hyper_parameters"], allow_import, str(checkpoint))
        if _trained_recipe(content, str(checkpoint)) != whole.recipe:
            raise UserError(f"{checkpoint}: was trained with another recipe than {config} says; restore that file")
        step, last = content["global_step"], whole.tree["trainer"]["max_steps"]
        if isinstance(last, int) and step >= last > -1:
            advice = f"to go on give --trainer.max_steps N with N > {step}"
            raise UserError(f"{directory} has done its {step} steps; {advice}")
        run = _build(whole, directory, first_step=step)
        check_loops(content, run.trainer.fit_loop.state_dict(), str(checkpoint))
        check_optimizers(content, run.model.configure_optimizers()[0], str(checkpoint))
        return _train(run, whole, directory, checkpoint)


def _trained_recipe(content: Mapping[str, Any], where: str) -> Recipe | None:
    """Return the recipe that a checkpoint was trained with, or None if it does not say."""
    values = content["hyper_parameters"].get("recipe")
    if not isinstance(values, Mapping):
        return None
    return Recipe.from_dict(recorded_recipe(values, recorded_format(content[KEY], where)))


def _build(whole: Plan, directory: Path, first_step: int | None) -> Run:
    """Return trainer, model and data of a plan, made after seeding. The data are read, and nothing is written."""
    tree = whole.tree
    arguments = checked(tree["trainer"], directory, first_step)
    callbacks: list[pl.Callback] = [callback(**tree[section]) for section, callback in CALLBACKS.items()]
    callbacks += [Hyperparameters(), Interrupt()]
    if arguments.get("enable_progress_bar") in (None, True):
        callbacks.append(Progress())
    pl.seed_everything(tree["seed_everything"], workers=True, verbose=False)
    data = ImageDataModule(**tree["data"])
    model = whole.variant(whole.recipe, data.image_shape, data.num_classes, tree["seeds"])
    trainer = build_trainer(arguments, callbacks, directory)
    if trainer.is_global_zero:  # so mistakes show early; Lightning prepares the data for other processes, once a node
        data.prepare_data()
        data.setup()
    return Run(trainer, model, data)


def _train(run: Run, whole: Plan, directory: Path, checkpoint: Path | None) -> Outcome:
    trainer = run.trainer
    # The run is recorded after everything is restored. So a refused resumption changes no file.
    stepped: set[bool] = set()  # filled by the first batch, which uses all that is restored
    record = LambdaCallback(
        on_train_start=lambda trainer, model: _record(run, whole.tree, directory, checkpoint),
        on_train_batch_end=lambda *batch: stepped.add(True),
    )
    trainer.callbacks.insert(0, record)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        try:
            settings: Any = {"ckpt_path": checkpoint, "weights_only": True if checkpoint else None}
            trainer.fit(run.model, datamodule=run.data, **settings)
        except UserError:
            raise
        except Exception as error:
            if checkpoint is None or stepped:
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{checkpoint}: cannot be gone on from ({reason}); give a sound checkpoint") from error
        except SystemExit:  # Lightning raises it after a second Ctrl-C, or after one before the first update
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
    """Return whether rank 0 started this process. Lightning kills rank 0 if such a process does not exit with 0."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return isinstance(environment, LightningEnvironment) and not trainer.is_global_zero


def _record(run: Run, tree: dict[str, Any], directory: Path, checkpoint: Path | None) -> None:
    """Write the provenance. A resumed run also removes rows of steps that it will do again, and saves changed flags."""
    trainer, model = run.trainer, run.model
    if not trainer.is_global_zero:
        return
    if checkpoint:
        run_directory.forget_after(directory, trainer.global_step)
        run_directory.write_config(directory, tree)
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "resumed_from": checkpoint.name if checkpoint else None,
        **provenance(type(model), run.data.loaded.provenance, model.device, str(trainer.precision)),
    }
    run_directory.write_provenance(directory, entry)
