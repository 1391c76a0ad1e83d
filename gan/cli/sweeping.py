"""What the words of `gan sweep` say, and what is printed of a sweep."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan.ablations.design import FILE, Manifest, Origin
from gan.ablations.manifest import manifest_of, read_manifest, seeds_of
from gan.ablations.standing import STATES, counts, standings
from gan.base import cores
from gan.base.errors import UserError, whole
from gan.base.paths import absolute
from gan.cli.flags import Flags, parse_flags
from gan.cli.lines import lines
from gan.cli.table import table
from gan.runs.config import canonical, composed, laid_over, parts, shipped_manifests
from gan.runs.world import forget_the_launcher
from gan.runs.yaml_files import parse_value

EXECUTORS = ("local", "slurm", "ray")
WORDS = ("config", "allow-import", "grid", "seeds", "name", "runs", "budget", "shard", "executor", "set")
NUMBERS = ("workers", "per-gpu", "hangs-after")
SIGMAS = (0.1, 0.2, 0.4)
NOTE = 100  # characters of why a run failed; its log has all
SWITCHES = ("dry-run", "print-commands", "status", "retry-failed", "packed")


@dataclass(frozen=True)
class _Words:
    """What the command line says."""

    manifest: str | None  # a file, the name of a shipped manifest, or the directory of a sweep
    flags: Flags

    def last(self, name: str) -> str | None:
        """Return the value that was given last, or None."""
        return next(iter(self.flags.words[name][-1:]), None)

    def number(self, name: str) -> int | None:
        """Return a whole number of at least 1, or None."""
        value = self.last(name)
        return None if value is None else whole(parse_value(value, f"--{name}"), f"--{name}", 1)


def carry_out(words: list[str]) -> int:
    """Do what the words say, and return the exit code. Each run trains alone, whatever launched this process."""
    forget_the_launcher()
    given = _parsed(words)
    manifest, place = _manifest_and_place(given)
    if "status" in given.flags.switches:
        return _status(place)
    cores.look()
    cores.wait_briefly()
    return _made(given, manifest, place)


def _parsed(words: list[str]) -> _Words:
    """Return the words, of which `--grid` takes all up to the next flag."""
    manifest = None if words[0].startswith("--") else words[0]
    rest, taken = [], False
    for word in words[1 if manifest else 0 :]:
        if taken and not word.startswith("--"):
            rest += ["--grid", word]
            continue
        taken = word == "--grid"
        rest += [] if taken else [word]
    flags = parse_flags(rest, words=(*WORDS, *NUMBERS), switches=SWITCHES)
    for name in ("run", "seed_everything"):
        if name in flags.tree:
            raise UserError(f"--{name} is for one run; a sweep has --name and --seeds")
    return _Words(manifest, flags)


def _manifest_and_place(given: _Words) -> tuple[Manifest, Path]:
    """Return the manifest with what the flags say, and the sweep's directory."""
    base, budget = dict(given.flags.tree), given.last("budget")
    base.pop("threads", None)
    if given.flags.words["config"]:
        base["config"] = given.flags.words["config"]
    runs = absolute(given.last("runs") or "runs", "--runs")
    if given.manifest is None:
        manifest = _quick(given, base, budget)
        return manifest, runs / manifest.name
    if given.flags.words["grid"]:
        raise UserError(f"--grid makes a manifest, and {given.manifest} is one; give one of them")
    known = runs / given.manifest
    begun = next((p for p in (Path(given.manifest), known) if (p / FILE).is_file()), None)
    if begun is not None and (begun != known or given.manifest not in shipped_manifests()):
        manifest, place = read_manifest(begun), absolute(begun, "sweep")
        if budget is not None:
            raise UserError(f"{begun}: has runs of {manifest.length}; --budget belongs to a manifest that is not begun")
    else:
        manifest = read_manifest(given.manifest)
        manifest, name = _budgeted(manifest, budget)
        place = runs / (given.last("name") or name)
    return _with_flags(manifest, given, base), place


def _budgeted(manifest: Manifest, budget: str | None) -> tuple[Manifest, str]:
    """Return the manifest with a budget's steps, and the name of its sweep."""
    if budget in (None, "full"):
        return manifest, manifest.name
    assert budget is not None
    if budget in manifest.budgets:
        return replace(manifest, steps=manifest.budgets[budget]), f"{manifest.name}_{budget}"
    if budget.isdecimal():
        return replace(manifest, steps=whole(int(budget), "--budget", 1)), f"{manifest.name}_{budget}"
    raise UserError(f"--budget must be {', '.join(manifest.budgets)} or a number of generator updates, got {budget!r}")


def _with_flags(manifest: Manifest, given: _Words, base: dict[str, Any]) -> Manifest:
    """Return the manifest with seeds and base as far as flags give them."""
    if (seeds := given.last("seeds")) is not None:
        manifest = replace(manifest, seeds=seeds_of(seeds))
    if not base:
        return manifest
    before = {key: value for key, value in manifest.base.items() if key != "config"}
    configs = [*manifest.configs, *base.pop("config", [])]
    changed = laid_over(canonical(before, "base"), base)
    return replace(manifest, base={**({"config": configs} if configs else {}), **changed})


def _quick(given: _Words, base: dict[str, Any], budget: str | None) -> Manifest:
    """Return the manifest that `--grid` makes."""
    name = given.last("name")
    if not (given.flags.words["grid"] and name):
        raise UserError("give a manifest, or --config NAME --grid KEY=A,B … --seeds 1-3 --name NAME; see --help")
    grid: dict[str, list[Any]] = {}
    for word in given.flags.words["grid"]:
        key, equals, values = word.partition("=")
        grid[key] = parse_value(f"[{values}]", f"--grid {key}") if equals else []
        if not grid[key]:
            raise UserError(f"--grid: {word!r} must be KEY=VALUE,VALUE,…, as in prior=normal,uniform")
    steps = int(budget) if budget and budget.isdecimal() else _steps(base)
    if budget and not budget.isdecimal():
        raise UserError(f"--budget must be a number of generator updates here, got {budget!r}")
    trainer = {key: value for key, value in base.get("trainer", {}).items() if key != "max_steps"}
    base = {**base, "trainer": trainer} if trainer else {key: v for key, v in base.items() if key != "trainer"}
    tree = {"question": f"What do {' and '.join(grid)} change?", "base": base, "grid": grid, "name": name}
    tree |= {"seeds": given.last("seeds") or "1-3", "budgets": {"full": steps}}
    return manifest_of(tree, name, Origin("--grid"))


def _steps(base: dict[str, Any]) -> int:
    """Return the length that the configs or flags give a run."""
    tree = {key: value for key, value in base.items() if key != "config"}
    recorded, change = composed(parts(base.get("config", ()), tree))
    for trainer in (change.get("trainer", {}), recorded.tree.get("trainer", {}) if recorded else {}):
        if isinstance(trainer.get("max_steps"), int):
            return trainer["max_steps"]
    raise UserError("how long? Give --budget N, a number of generator updates")


def _status(place: Path) -> int:
    """Print how many runs of each arm are in each state, and what is to be said of single ones."""
    if not (place / FILE).is_file():
        raise UserError(f"{place}: no sweep has begun there (it has no {FILE})")
    found = standings(read_manifest(place), place)
    every = counts(found)
    states = [state for state in (*STATES, "unreadable") if any(count[state] for count in every.values())]
    total = Counter(standing.state for standing in found)
    lines = [(arm, *(str(count[state] or "") for state in states)) for arm, count in every.items()]
    print(table([("arm", *states), *lines, ("all", *(str(total[state]) for state in states))]))
    for standing in found:
        if standing.state not in ("finished", "waiting"):
            step = "" if standing.step is None else f" at {standing.step}"
            note = f" ({textwrap.shorten(standing.note, NOTE, placeholder=' …')})" if standing.note else ""
            print(f"{standing.run}: {standing.state}{step}{note}")
    return 0


def _made(given: _Words, manifest: Manifest, place: Path) -> int:
    from gan.ablations.planning import tasks_of
    from gan.ablations.sweep import enter, shard, sweep, to_do

    switches, allowed = given.flags.switches, given.flags.words["allow-import"]
    dry = "dry-run" in switches or "print-commands" in switches
    manifest = enter(manifest, place, dry)
    tasks = shard(tasks_of(manifest, place, "packed" in switches, allowed), given.last("shard"))
    if "print-commands" in switches:
        print("\n".join(lines(to_do(tasks, retry_failed=True, dry=True), given.flags.tree.get("threads"))))
        return 0
    executor = _executor(given, tasks)
    _say(manifest, place, tasks)
    if dry:
        _estimate(to_do(tasks, "retry-failed" in switches, dry), given)
        return 0
    code, every = sweep(tasks, executor, "retry-failed" in switches)
    print(f"{place}: " + ", ".join(f"{count} {state}" for state, count in every.most_common()))
    if code:
        return code
    return 1 if every["failed"] else 0 if every["finished"] + every["diverged"] == every.total() else 3


def _say(manifest: Manifest, place: Path, tasks: Sequence[Any]) -> None:
    from gan.ablations.power import smallest_effect

    n, arms = len(manifest.seeds), max(1, len(manifest.rules) or len(manifest.arms) - 1)
    effects = {sigma: smallest_effect(n, sigma, arms) for sigma in SIGMAS}
    print(f"sweep     {place}: {len(manifest.arms)} arms, {n} seeds, {len(tasks)} runs of {manifest.length}")
    print(f"question  {manifest.question}")
    print(
        "shows     with a power of 80 %, ratios of scores from "
        + ", ".join(f"{effect:.3g} (sigma {sigma})" for sigma, effect in effects.items())
        + "; sigma, the spread of the logs of paired scores, is assumed",
        flush=True,
    )
    if isinstance(manifest.score, str) and any(not task.tree["evaluation"]["every_n_steps"] for task in tasks):
        print("note      evaluation.every_n_steps is 0: the runs will have no FID, and so no score")


def _estimate(tasks: Sequence[Any], given: _Words) -> None:
    from gan.ablations.estimate import cost_of

    if not tasks:
        print("nothing is left to do")
        return
    workers = given.number("workers") or max(1, cores.usable() // (given.flags.tree.get("threads") or 1))
    cost = cost_of(tasks, given.flags.tree.get("threads") or 1)
    hours = cost.seconds / 3600 / min(workers, len(tasks))
    print(f"left      {len(tasks)} runs; with {workers} at a time some {hours:.2g} hours, measured now")
    print(f"disk      some {cost.size / 1e6:,.0f} MB to keep: keep is {tasks[0].keep}")


def _executor(given: _Words, tasks: Sequence[Any]) -> Any:
    name, threads = given.last("executor") or "local", given.flags.tree.get("threads")
    per_gpu, settings = given.number("per-gpu") or 1, dict(map(_setting, given.flags.words["set"]))
    if name not in EXECUTORS:
        raise UserError(f"--executor must be one of {', '.join(EXECUTORS)}, got {name!r}")
    from gan.ablations.executors import HANGS_AFTER

    hangs_after = given.number("hangs-after") or HANGS_AFTER
    if name == "slurm":
        from gan.ablations.executors.slurm import Slurm

        return Slurm(settings, threads)
    if name == "ray":
        from gan.ablations.executors.ray import Ray

        return Ray(settings, threads, per_gpu, hangs_after)
    if settings:
        raise UserError("--set is for the executors slurm and ray")
    from gan.ablations.executors.local import Local, slots_of, visible_devices

    devices = [] if all(task.on_cpu for task in tasks) else visible_devices()
    slots = slots_of(given.number("workers"), threads, per_gpu, devices)
    return Local(slots, hangs_after)


def _setting(word: str) -> tuple[str, Any]:
    key, equals, value = word.partition("=")
    if not equals:
        raise UserError(f"--set: {word!r} must be KEY=VALUE")
    return key, parse_value(value, f"--set {key}")
