"""`gan sweep` makes the runs of a manifest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan.ablations.design import FILE, Manifest, Origin
from gan.ablations.manifest import ablations, manifest_of, read_manifest, seeds_of
from gan.base import cores
from gan.base.errors import UserError, whole
from gan.base.paths import absolute
from gan.cli.flags import Flags, parse_flags
from gan.cli.help import SWEEP_HELP
from gan.runs.config import canonical, composed, laid_over, parts
from gan.runs.yaml_files import parse_value

EXECUTORS = ("local", "slurm", "ray")
WORDS = ("config", "allow-import", "grid", "seeds", "name", "runs", "budget", "shard", "executor", "set")
NUMBERS = ("workers", "per-gpu", "hangs-after")
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


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    if not words or "--help" in words or "-h" in words:
        print(SWEEP_HELP, end="")
        return 0
    given = _parsed(words)
    manifest, place = _manifest_and_place(given)
    if "status" in given.flags.switches:
        return _status(place)
    cores.look()
    cores.wait_briefly()
    return _carry_out(given, manifest, place)


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
    if begun is not None and (begun != known or given.manifest not in ablations()):
        manifest, place = read_manifest(begun), absolute(begun, "sweep")
        if budget is not None:
            raise UserError(f"{begun}: has {manifest.steps} steps; --budget belongs to a manifest that is not begun")
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
    from gan.ablations.standing import print_standing

    return print_standing(place)


def _carry_out(given: _Words, manifest: Manifest, place: Path) -> int:
    from gan.ablations.planning import tasks_of
    from gan.ablations.sweep import enter, shard, sweep

    switches = given.flags.switches
    allowed = given.flags.words["allow-import"]
    dry = "dry-run" in switches
    tasks = shard(tasks_of(manifest, place, "packed" in switches, allowed), given.last("shard"))
    _say(manifest, place, tasks)
    if dry:
        return 0
    enter(manifest, place)
    executor = _executor(given)
    stopped_by, counts = sweep(tasks, executor, "retry-failed" in switches)
    print(f"{place}: " + ", ".join(f"{count} {state}" for state, count in counts.most_common()))
    if stopped_by:
        return 128 + stopped_by
    return 1 if counts["failed"] else 0 if counts["finished"] + counts["diverged"] == counts.total() else 3


def _say(manifest: Manifest, place: Path, tasks: Sequence[Any]) -> None:
    from gan.ablations.power import smallest_effect

    arms = max(1, len(manifest.rules) or len(manifest.arms) - 1)
    n = len(manifest.seeds)
    effects = ", ".join(f"{smallest_effect(n, sigma, arms):.2f} (sigma {sigma})" for sigma in (0.1, 0.2, 0.4))
    print(f"sweep     {place}: {len(manifest.arms)} arms, {n} seeds, {len(tasks)} runs of {manifest.steps:,} steps")
    print(f"question  {manifest.question}")
    print(f"shows     with 80 % power ratios from {effects}: sigma is assumed, of the logs of pairs", flush=True)


def _executor(given: _Words) -> Any:
    name = given.last("executor") or "local"
    threads = given.flags.tree.get("threads")
    if name == "local":
        from gan.ablations.executors.local import HANGS_AFTER, Local, slots_of

        slots = slots_of(given.number("workers"), threads, given.number("per-gpu") or 1, ())
        return Local(slots, given.number("hangs-after") or HANGS_AFTER)
    raise UserError(f"--executor must be one of {', '.join(EXECUTORS)}, got {name!r}")
