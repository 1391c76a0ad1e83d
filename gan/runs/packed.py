"""Trains several seeds of one recipe as one program. Each copy has an ordinary run of its own."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning import loggers

from gan.base.errors import UserError
from gan.base.notes import say
from gan.base.seeds import MAX_SEED
from gan.data.datamodule import ImageDataModule
from gan.engine.copies import Pack, packed, refuse_for_pack, refuse_unpackable, whole_checkpoint
from gan.engine.structure import check_loops, check_optimizers
from gan.runs import directory as run_directory
from gan.runs.callbacks.checkpoints import Straight
from gan.runs.callbacks.copies import Copies, CopyTrainer, Member
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.hyperparameters import Hyperparameters
from gan.runs.callbacks.interrupt import Interrupt, seconds
from gan.runs.callbacks.progress import Progress
from gan.runs.callbacks.recording import Recording
from gan.runs.computing import Computing, resolved
from gan.runs.config import Part, read_config
from gan.runs.ending import end_of, told
from gan.runs.fit import Outcome
from gan.runs.introduction import introduce
from gan.runs.owner import owned, refuse_owned
from gan.runs.pins import recorded_images, refuse_other_images
from gan.runs.plan import CALLBACKS, Plan, imported, plan
from gan.runs.precision import precision_of
from gan.runs.process import as_in_a_process_of_its_own
from gan.runs.reader import Run, read_run
from gan.runs.resuming import done_already, ended, fixed, lacks_report, refuse_other
from gan.runs.status import Life, read_status
from gan.runs.threads import Using, say_if_other, threads_of
from gan.runs.trainer import build_trainer, checked
from gan.runs.training import Built, OnlyTheEnd, close, content_of, fitted, record, recorded_plan
from gan.runs.unusable import leave_to_the_run
from gan.runs.world import processes

ONE_RUN = ("callbacks", "plugins", "profiler")  # arguments of the Trainer that watch or change one run
LOGGERS = (loggers.TensorBoardLogger, loggers.CSVLogger)  # of which a process may have several


class Packed(NamedTuple):
    """What a pack is trained with."""

    trainer: pl.Trainer
    pack: Pack
    data: ImageDataModule
    members: list[Member]
    computing: Computing


def start_copies(sources: Sequence[Part], count: int, overwrite: bool, resume: bool, alone: bool) -> Outcome:
    """Train `count` new runs as one program. With `resume` go on with them as far as they were started."""
    with as_in_a_process_of_its_own(alone):
        plans = _plans(sources, count)
        directories = [Path(whole.tree["run"]) for whole in plans]
        for directory in directories:
            refuse_owned(directory)
        started = [directory for directory in directories if resume and not run_directory.is_empty(directory)]
        packages = {name.split(".")[0] for name in imported(plans[0].tree)}
        recorded = [recorded_plan(d, read_config(d / run_directory.CONFIG), packages) for d in started]
        for directory, was in zip(started, recorded, strict=True):
            refuse_other(read_run(directory), was.tree, plans[directories.index(directory)].tree)
        if any(Run(directory).step is not None for directory in started):
            return _go_on(directories, recorded, packages, again=True)
        overwrite = overwrite or bool(started)  # they came to no checkpoint
        for directory in directories:
            run_directory.refuse_used(directory, overwrite)
        made = _build(plans, directories, [])
        with ExitStack() as owners:
            for directory in directories:
                owners.enter_context(owned(directory))
            plans = [resolved(whole, made.data, made.computing) for whole in plans]
            for directory, whole in zip(directories, plans, strict=True):
                run_directory.create(directory, whole.tree, overwrite)
            return _train(made, plans, directories, [])


def go_on_with_copies(
    directories: Sequence[Path], recorded: Sequence[Part], change: Part, allow_import: Collection[str], alone: bool
) -> Outcome:
    """Go on with several runs as one program, from the last step of which all have a checkpoint."""
    with as_in_a_process_of_its_own(alone):
        for directory in directories:
            refuse_owned(directory)
        plans = [recorded_plan(d, part, allow_import, change) for d, part in zip(directories, recorded, strict=True)]
        first = plans[0].tree
        for directory, whole in zip(directories, plans, strict=True):
            own = {key: whole.tree[key] for key in ("run", "seed_everything")}
            refuse_other(Run(directory), whole.tree, {**first, **own})
        return _go_on(directories, plans, allow_import, again=False)


def _plans(sources: Sequence[Part], count: int) -> list[Plan]:
    """Return the plan of each copy: seeds follow each other, and each has a directory of its own."""
    first = plan(sources)
    seed, place = first.tree["seed_everything"], Path(first.tree["run"])
    if seed + count - 1 > MAX_SEED:
        raise UserError(f"copies: seeds {seed} to {seed + count - 1} are needed, allowed are seeds up to {MAX_SEED}")
    given = any(part.tree.get("run") for part in sources)
    if given and (place / run_directory.CONFIG).exists():
        raise UserError(f"copies: {place} is a run, and copies are runs in a directory; give another --run")
    parent = place if given else place.parent
    return [
        plan([*sources, Part("", {"seed_everything": n, "run": str(parent / f"seed_{n}")})])
        for n in range(seed, seed + count)
    ]


def _refuse_what_watches_one_run(tree: Mapping[str, Any]) -> None:
    """Raise UserError for settings of the trainer that several copies cannot share."""
    for key in ONE_RUN:
        if tree["trainer"].get(key):
            raise UserError(f"copies: trainer.{key} is for one run; remove it, or train single runs")
    if tree["watchdog"]["stop"]:
        raise UserError("copies: watchdog.stop is for one run, as copies end together; remove it, or train single runs")
    if processes(tree["trainer"]) > 1:
        raise UserError("copies: are trained in one process; give trainer.devices=1")


def _build(plans: Sequence[Plan], directories: Sequence[Path], contents: Sequence[Mapping[str, Any]]) -> Packed:
    """Return what the pack is trained with. Each copy is made after seeding, and has its weights if it goes on."""
    tree, precision = plans[0].tree, precision_of(plans[0], len(plans))
    first_step = contents[0]["global_step"] if contents else None
    _refuse_what_watches_one_run(tree)
    refuse_unpackable(plans[0].recipe)
    data = ImageDataModule(**tree["data"])
    members = []
    for number, (whole, directory) in enumerate(zip(plans, directories, strict=True)):
        pl.seed_everything(whole.tree["seed_everything"], workers=True, verbose=False)
        module = whole.variant(whole.recipe, data.image_shape, data.num_classes, whole.tree["seeds"])
        own: list[Any] = [*(callback(**tree[section]) for section, callback in CALLBACKS.items()), Hyperparameters()]
        arguments = checked(tree["trainer"] | {"precision": precision.name}, directory, first_step)
        trainer = CopyTrainer(number, len(plans), directory, _loggers(arguments), own)
        members.append(Member(module, trainer, Life(directory), own))
    for member, content, directory in zip(members, contents, directories, strict=False):
        _take(member, content, directory)
    limit, bar = seconds(arguments.pop("max_time", None)), arguments.get("enable_progress_bar") in (None, True)
    interrupt = Interrupt(limit)
    mine = [Copies(members), interrupt, *([Progress()] if bar else [])]
    main = build_trainer(arguments | {"logger": False}, mine, directories[0])
    computing = Computing(threads_of(tree["threads"], members[0].module, main, len(members)), precision)
    main.callbacks.append(Using(computing.threads.number))  # type: ignore[attr-defined]
    leave_to_the_run(main, directories[0])
    for member in members:
        member.trainer.of(main)
        member.trainer.callbacks = [*member.own, interrupt]  # the last says how the run ended
    pack = packed([member.module for member in members])
    refuse_for_pack(main, pack)
    for content, directory in zip(contents, directories, strict=False):
        check_loops(content, main.fit_loop.state_dict(), str(directory))
    data.prepare_data()
    data.setup()
    return Packed(main, pack, data, members, computing)


def _loggers(arguments: Mapping[str, Any]) -> list[Any]:
    made = arguments["logger"] or []
    made = made if isinstance(made, list) else [made]
    for logger in made:
        if not isinstance(logger, LOGGERS):
            raise UserError(
                f"copies: trainer.logger {type(logger).__name__} may have one run in a process; give one of "
                f"{', '.join(kind.__name__ for kind in LOGGERS)}, or train single runs"
            )
    return made


def _take(member: Member, content: Mapping[str, Any], directory: Path) -> None:
    """Give a copy the weights and the callbacks' states of its checkpoint."""
    check_optimizers(content, member.module.configure_optimizers()[0], str(directory))
    try:
        member.module.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{directory}: its checkpoint does not fit its recipe ({reason}); restore the file") from error
    for callback in member.own:
        state = content["callbacks"].get(callback.state_key)
        if state:
            callback.load_state_dict(state)


class Assembled(Straight):
    """Gives Lightning the checkpoint of a pack, which is made of those of its copies."""

    def __init__(self, contents: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.contents = contents

    def load_checkpoint(self, path: Any, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """Return the content. The path is that of the first copy's."""
        return whole_checkpoint(self.contents)


def _go_on(directories: Sequence[Path], plans: Sequence[Plan], allow_import: Collection[str], again: bool) -> Outcome:
    """Go on from the last common step. If that is the end, UserError, unless the same command is given again."""
    for directory in directories:
        read_status(directory)  # a damaged one is refused before anything is written
    saved = [Run(directory).saved("last") for directory in directories]
    common = set.intersection(*(set(files) for files in saved))
    if not common:
        raise UserError(
            f"copies: {', '.join(map(str, directories))} have no checkpoint of one step; gan resume each alone"
        )
    step = max(common)
    checkpoints = [files[step] for files in saved]
    contents = [content_of(file, whole, allow_import) for file, whole in zip(checkpoints, plans, strict=True)]
    done = done_already(contents[0], plans[0].tree["trainer"])
    if done and not any(lacks_report(Run(directory), step) for directory in directories):
        if again:
            runs = [read_run(directory) for directory in directories]
            for run in runs:
                if run.state not in ("finished", "diverged"):
                    close(run.directory, step)
            return _together([ended(read_run(run.directory), True) for run in runs])
        raise UserError(
            f"copies: have done their {done[0]} {done[1]}; to go on give --trainer.max_{done[1]} N with N > {done[0]}"
        )
    made = _build(plans, directories, contents)
    if done:
        made.trainer.fit_loop.__class__ = OnlyTheEnd
    made.trainer.strategy.checkpoint_io = Assembled(contents)
    with ExitStack() as owners:
        for directory in directories:
            owners.enter_context(owned(directory))
        if [Run(directory).saved("last") for directory in directories] != saved:
            raise UserError("copies: another process went on with one of them meanwhile; give the command again")
        for directory in directories:
            refuse_other_images(recorded_images(Run(directory)), made.data.loaded, made.data.root, str(directory))
        return _train(made, [resolved(whole, made.data, made.computing) for whole in plans], directories, checkpoints)


def _train(made: Packed, plans: Sequence[Plan], directories: Sequence[Path], checkpoints: Sequence[Path]) -> Outcome:
    for number, (member, whole, directory) in enumerate(zip(made.members, plans, directories, strict=True)):
        built = Built(member.trainer, member.module, made.data, made.computing)
        resumed = checkpoints[number] if checkpoints else None
        recording = Recording(member.life, partial(record, built, whole.tree, directory, resumed), fixed(whole.tree))
        member.own.insert(0, recording)
        member.trainer.callbacks.insert(0, recording)
    first = made.members[0].module
    introduce(made.trainer, first, made.data, made.computing, directories[0].parent)
    say(f"copies    {', '.join(directory.name for directory in directories)}")
    for directory in directories:
        say_if_other(Run(directory), made.computing.threads.number)
    copies = next(c for c in made.trainer.callbacks if isinstance(c, Copies))  # type: ignore[attr-defined]
    status = "failed"
    with ExitStack() as runs:
        for member in made.members:
            runs.enter_context(told(member.life, member.trainer, new=not checkpoints))
        try:
            fitted(made.trainer, made.pack, made.data, checkpoints[0] if checkpoints else None, recording)
            status = "success"
        finally:
            copies.close(status)
        outcomes = [_ended(member, directory) for member, directory in zip(made.members, directories, strict=True)]
    return _together(outcomes)


def _ended(member: Member, directory: Path) -> Outcome:
    trainer, module = member.trainer, member.module
    end = end_of(trainer, module)
    member.life.end(end.state, trainer.global_step, end.reason)
    report = next(c for c in member.own if isinstance(c, Evaluation)).report
    return Outcome(directory, trainer.global_step, True, end.state, end.reason, end.code, report)


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of all: that of the first copy which was stopped, or else diverged, or else finished."""
    order = ("stopped", "diverged", "finished")
    worst = min(outcomes, key=lambda outcome: order.index(outcome.state))
    return replace(worst, directory=worst.directory.parent, report=None, copies=tuple(outcomes))
