"""Sweeps: the directory of one, what is left to do in it, and the carrying out."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gan.ablations.claims import DONE, failure_file, is_settled, state_of
from gan.ablations.design import FILE, Manifest
from gan.ablations.executors import Executor
from gan.ablations.manifest import read_manifest
from gan.ablations.planning import Task
from gan.base.errors import UserError
from gan.runs.differences import flat

MAY_GROW = ("seeds",)  # what a sweep that has begun may get more of
MAY_DIFFER = ("base.data.root",)  # where the same images are


def enter(manifest: Manifest, place: Path, dry: bool = False) -> Manifest:
    """Write the resolved manifest into the sweep's directory, unless this is a `dry` look, and return it.

    A sweep that has begun may get more seeds. UserError for any other change: question, arms and rules are fixed before
    the runs.
    """
    file = place / FILE
    if file.is_file():
        before = read_manifest(file)
        seeds = tuple(dict.fromkeys([*before.seeds, *manifest.seeds]))
        manifest = replace(manifest, seeds=seeds)
        was, now = (flat(m.to_tree()) for m in (replace(before, seeds=seeds), manifest))
        for key in [*was, *now]:
            if was.get(key) != now.get(key) and key not in MAY_DIFFER:
                raise UserError(
                    f"{file}: has {key} {_short(was.get(key))}, and {_short(now.get(key))} is given; a sweep that has "
                    "begun stays as it is, but for more seeds: give another --name"
                )
        if manifest.to_tree() == before.to_tree():
            return manifest
    elif place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise UserError(f"{place}: is in use and no sweep (it has no {FILE}); give another --name")
    if not dry:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{place}: cannot write there ({error.strerror}); give another --runs") from None
        manifest.write(place)
    return manifest


def shard(tasks: Sequence[Task], which: str | None) -> list[Task]:
    """Return the tasks of a share such as `3/8`: the third of eight, which differ in their number by one at most."""
    if which is None:
        return list(tasks)
    number, _, count = which.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UserError(f"--shard must be a share such as 3/8, got {which!r}")
    return list(tasks[int(number) - 1 :: int(count)])


def to_do(tasks: Sequence[Task], retry_failed: bool = False, dry: bool = False) -> list[Task]:
    """Return the tasks that have not come to their end. Failed ones are among them only with `retry_failed`.

    They then count as not failed, unless this is a `dry` look.
    """
    left = []
    for task in tasks:
        if is_settled(task):
            continue
        if state_of(task.directory, task.runs) == "failed":
            if not retry_failed:
                continue
            if not dry:
                failure_file(task.directory).unlink(missing_ok=True)
        left.append(task)
    return left


class Teller:
    """Prints what becomes of the tasks."""

    def __init__(self, count: int) -> None:
        self.count, self.ended = count, 0

    def __call__(self, task: Task, what: str) -> None:
        if what in (*DONE, "failed"):
            self.ended += 1
        print(f"{self.ended}/{self.count}  {task.name}: {what}", file=sys.stderr, flush=True)


def sweep(tasks: Sequence[Task], executor: Executor, retry_failed: bool = False) -> tuple[int, Counter[str]]:
    """Carry out what is left. Return the exit code of what stopped it, or 0, and how many tasks are in each state."""
    left = to_do(tasks, retry_failed)
    code = executor.carry_out(left, Teller(len(left))) if left else 0
    return code, Counter(state_of(task.directory, task.runs) for task in tasks)


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"
