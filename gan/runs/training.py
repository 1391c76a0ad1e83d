"""Trains a run from its plan."""

import warnings
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.loops.fit_loop import _FitLoop
from pytorch_lightning.plugins.environments import LightningEnvironment

from gan.base.errors import UserError
from gan.base.notes import is_first_process
from gan.data.datamodule import ImageDataModule
from gan.engine.building import refuse_for_trainer
from gan.engine.game import AdversarialModule
from gan.engine.saving import KEY, refuse_other_world_size
from gan.engine.structure import check_loops, check_optimizers, check_structure
from gan.runs import directory as run_directory
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.hyperparameters import Hyperparameters
from gan.runs.callbacks.interrupt import Interrupt, seconds
from gan.runs.callbacks.progress import Progress
from gan.runs.callbacks.recording import Recording
from gan.runs.checkpoint import find_checkpoint, read_checkpoint, refuse_foreign
from gan.runs.computing import Computing, resolved
from gan.runs.config import Part, read_config
from gan.runs.ending import end_of, told
from gan.runs.fit import Outcome
from gan.runs.introduction import introduce
from gan.runs.owner import owned, refuse_owned
from gan.runs.pins import recorded_images, refuse_other_images, refuse_useless_root, with_recorded_source
from gan.runs.plan import CALLBACKS, Plan, imported, plan
from gan.runs.precision import precision_of
from gan.runs.process import as_in_a_process_of_its_own
from gan.runs.provenance import provenance
from gan.runs.ranks import Ranks
from gan.runs.reader import Run, read_run
from gan.runs.resuming import done_already, ended, fixed, lacks_report, refuse_edited, refuse_other
from gan.runs.small import say_if_too_small
from gan.runs.status import Life, read_status
from gan.runs.threads import Using, say_if_other, threads_of
from gan.runs.trainer import build_trainer, checked
from gan.runs.trust import refuse_foreign_code, refuse_links
from gan.runs.unusable import leave_to_the_run, refuse_unusable
from gan.runs.world import processes

EXPECTED_WARNINGS = (
    ".*does not have many workers.*",  # batches are drawn on the device
    ".*`IterableDataset` has `__len__`.*",
    ".*smaller than the logging.*",
    r"torch\.distributed\.nn\.functional\.all_gather is deprecated",  # from Lightning, with several processes
    r"`isinstance\(treespec, LeafSpec\)`",  # from Lightning, at every start
)


class Built(NamedTuple):
    """The three objects of a training."""

    trainer: pl.Trainer
    model: AdversarialModule
    data: ImageDataModule
    computing: Computing


class OnlyTheEnd(_FitLoop):
    """Lightning's loop, without a step left: only what comes at the end of training is done, which it would skip."""

    skip = False


def start(sources: Sequence[Part], overwrite: bool, resume: bool = False, alone: bool = False) -> Outcome:
    """Train a new run. With `resume` go on with a run that was started, or return the end of one that has ended."""
    with as_in_a_process_of_its_own(alone):
        whole = plan(sources)
        directory, first = Path(whole.tree["run"]), is_first_process()
        if first:
            refuse_owned(directory)
        # The first process may be about to write the configuration; the others look at the checkpoints alone.
        if resume and (not run_directory.is_empty(directory) if first else Run(directory).step is not None):
            run, packages = read_run(directory), {name.split(".")[0] for name in imported(whole.tree)}
            recorded = recorded_plan(directory, read_config(directory / run_directory.CONFIG), packages)
            refuse_other(run, recorded.tree, whole.tree)
            if run.state in ("finished", "diverged"):
                return ended(run, first)
            if run.step is not None:
                return _go_on(directory, recorded, packages, again=True)
            overwrite = True  # it came to no checkpoint
        if first:
            run_directory.refuse_used(directory, overwrite)
        built = _build(whole, directory, first_step=None)
        with _owned(built, directory):
            if built.trainer.is_global_zero:
                whole = resolved(whole, built.data, built.computing)
                run_directory.create(directory, whole.tree, overwrite)
            return _train(built, whole, directory, checkpoint=None)


def go_on(
    directory: Path,
    recorded: Part,
    change: Part,
    allow_import: Collection[str],
    other_world_size: bool = False,
    alone: bool = False,
) -> Outcome:
    """Go on with a run from its last checkpoint."""
    with as_in_a_process_of_its_own(alone):
        if is_first_process():
            refuse_owned(directory)
        whole = recorded_plan(directory, recorded, allow_import, change)
        return _go_on(directory, whole, allow_import, again=False, other_world_size=other_world_size)


def recorded_plan(directory: Path, recorded: Part, allow_import: Collection[str], change: Part | None = None) -> Plan:
    """Return the plan of a run's own configuration, with a change laid over it."""
    refuse_links(directory)
    refuse_foreign_code(recorded.tree, directory, allow_import, recorded.where.removeprefix("--config "))
    if not allow_import:  # with it, code is imported from where the run found it
        recorded = replace(recorded, tree=recorded.tree | {"pythonpath": None})
    images = recorded_images(Run(directory))
    whole = plan([with_recorded_source(recorded, images), *([change] if change else [])])
    if change and "root" in change.tree.get("data", {}):
        refuse_useless_root(whole.tree["data"], str(directory))
    return whole


def _go_on(
    directory: Path, whole: Plan, allow_import: Collection[str], again: bool, other_world_size: bool = False
) -> Outcome:
    """Go on from the last checkpoint. If that is the end, UserError, unless the same command is given again."""
    try:
        checkpoint = find_checkpoint(directory)
    except UserError:
        raise UserError(
            f"{directory} has no checkpoints/last_step_*.ckpt to go on from; start it again with "
            f"gan fit --config {directory / run_directory.CONFIG} --run {directory} --overwrite"
        ) from None
    read_status(directory)  # a damaged one is refused before anything is written
    content = content_of(checkpoint, whole, allow_import)
    done = done_already(content, whole.tree["trainer"])
    if done and not lacks_report(Run(directory), content["global_step"]):
        if again:
            if is_first_process():
                close(directory, content["global_step"])
            return ended(read_run(directory), is_first_process())
        count, kind = done
        advice = f"to go on give --trainer.max_{kind} N with N > {count}"
        raise UserError(f"{directory} has done its {count} {kind}; {advice}")
    refuse_other_world_size(content[KEY], processes(whole.tree["trainer"]), other_world_size)
    built = _build(whole, directory, first_step=content["global_step"])
    built.model.other_world_size = other_world_size
    check_loops(content, built.trainer.fit_loop.state_dict(), str(checkpoint))
    check_optimizers(content, built.model.configure_optimizers()[0], str(checkpoint))
    if done:
        built.trainer.fit_loop.__class__ = OnlyTheEnd
    with _owned(built, directory):
        if find_checkpoint(directory) != checkpoint:
            raise UserError(f"{directory}: another process went on with it meanwhile; give the command again")
        if built.trainer.is_global_zero:
            data = built.data
            refuse_other_images(recorded_images(Run(directory)), data.loaded, data.root, str(directory))
            whole = resolved(whole, built.data, built.computing)
        return _train(built, whole, directory, checkpoint)


def content_of(checkpoint: Path, whole: Plan, allow_import: Collection[str]) -> dict[str, Any]:
    """Return a checkpoint's content. UserError for one that is unsound or foreign, or of another configuration."""
    content = read_checkpoint(checkpoint)
    check_structure(content, str(checkpoint))
    refuse_foreign({"class_path": content[KEY]["variant"]}, allow_import, str(checkpoint))
    refuse_foreign(content["hyper_parameters"], allow_import, str(checkpoint))
    refuse_edited(content, whole.tree, whole.recipe, checkpoint)
    return content


def close(directory: Path, step: int) -> None:
    """Record the end of a run that was killed after its last checkpoint."""
    with owned(directory):
        life, before = Life(directory), read_status(directory)
        life.begin(step, before.alarms if before else ())
        life.end("finished", step)


def _owned(built: Built, directory: Path) -> AbstractContextManager[None]:
    """Return the run's lock. The first process holds it for all."""
    return owned(directory) if built.trainer.is_global_zero else nullcontext()


def _build(whole: Plan, directory: Path, first_step: int | None) -> Built:
    """Return trainer, model and data of a plan, made after seeding. The data are read, and nothing is written."""
    tree, precision = whole.tree, precision_of(whole)
    arguments = checked(tree["trainer"] | {"precision": precision.name}, directory, first_step)
    refuse_unusable(arguments)
    callbacks: list[pl.Callback] = [callback(**tree[section]) for section, callback in CALLBACKS.items()]
    callbacks += [Ranks(), Hyperparameters(), Interrupt(seconds(arguments.pop("max_time", None)))]
    if arguments.get("enable_progress_bar") in (None, True):
        callbacks.append(Progress())
    pl.seed_everything(tree["seed_everything"], workers=True, verbose=False)
    data = ImageDataModule(**tree["data"])
    model = whole.variant(whole.recipe, data.image_shape, data.num_classes, tree["seeds"])
    trainer = build_trainer(arguments, callbacks, directory)
    computing = Computing(threads_of(tree["threads"], model, trainer), precision)
    trainer.callbacks.append(Using(computing.threads.number))  # type: ignore[attr-defined]
    leave_to_the_run(trainer, directory)
    refuse_for_trainer(trainer, model, whole.recipe)  # before anything is launched, read or written
    if trainer.is_global_zero:  # so mistakes show early; Lightning prepares the data for other processes, once a node
        data.prepare_data()
        data.setup()
    return Built(trainer, model, data, computing)


def _train(run: Built, whole: Plan, directory: Path, checkpoint: Path | None) -> Outcome:
    trainer = run.trainer
    life = Life(directory) if trainer.is_global_zero else None
    recording = Recording(life, lambda: record(run, whole.tree, directory, checkpoint), fixed(whole.tree))
    trainer.callbacks.insert(0, recording)  # type: ignore[attr-defined]
    recording.hide_loggers(trainer)
    if trainer.is_global_zero:
        introduce(trainer, run.model, run.data, run.computing, directory)
        say_if_other(Run(directory), run.computing.threads.number)
    if trainer.world_size > 1:
        say_if_too_small(run.model)
    ranks = next(c for c in trainer.callbacks if isinstance(c, Ranks))  # type: ignore[attr-defined]
    with told(life, trainer, new=checkpoint is None), ranks.watched(trainer):
        fitted(trainer, run.model, run.data, checkpoint, recording)
        end = end_of(trainer, run.model)
        if life:
            life.end(end.state, trainer.global_step, end.reason)
    evaluation = next(c for c in trainer.callbacks if isinstance(c, Evaluation))  # type: ignore[attr-defined]
    return Outcome(
        directory,
        step=trainer.global_step,
        is_global_zero=trainer.is_global_zero,
        state=end.state,
        reason=end.reason,
        code=0 if _launched_by_lightning(trainer) else end.code,
        report=evaluation.report,
    )


def fitted(
    trainer: pl.Trainer,
    model: AdversarialModule,
    data: ImageDataModule,
    checkpoint: Path | None,
    recording: Recording,
) -> None:
    """Train. A checkpoint that Lightning cannot go on from is a UserError, unless training began."""
    settings: Any = {"ckpt_path": checkpoint, "weights_only": True if checkpoint else None}
    with warnings.catch_warnings():
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        try:
            trainer.fit(model, datamodule=data, **settings)
        except Exception as error:
            if checkpoint is None or recording.began or isinstance(error, UserError):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{checkpoint}: cannot be gone on from ({reason}); give a sound checkpoint") from error


def _launched_by_lightning(trainer: pl.Trainer) -> bool:
    """Return whether rank 0 started this process. Lightning kills rank 0 if such a process does not exit with 0."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return isinstance(environment, LightningEnvironment) and not trainer.is_global_zero


def record(run: Built, tree: dict[str, Any], directory: Path, checkpoint: Path | None) -> None:
    """Write the provenance. A resumed run also removes rows of steps that it will do again, and saves changed flags."""
    trainer, model = run.trainer, run.model
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "resumed_from": checkpoint.name if checkpoint else None,
        "processes": trainer.world_size,
        **({"copies": trainer.copies} if hasattr(trainer, "copies") else {}),  # trained by one program
        **({"processes_before": model.world_size_before} if model.world_size_before else {}),  # not bit for bit
        **provenance(type(model), run.data.loaded.provenance, model.device, str(trainer.precision)),
    }
    run_directory.write_provenance(directory, entry)  # first, since it refuses a damaged file
    if checkpoint:
        run_directory.forget_after(directory, trainer.global_step)
        run_directory.write_config(directory, tree)
