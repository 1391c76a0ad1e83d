"""Manifests: a question, its arms and the rule that will answer it, fixed before the runs.

`read_manifest` reads `configs/ablations/NAME.yaml`, and the resolved `manifest.yaml` of a sweep. Torch is not needed.
`gan.ablations.planning` builds every arm.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.ablations.arms import arm_trees, checked_grid
from gan.ablations.design import FILE, KEEP, UNITS, Arm, Manifest, Origin
from gan.ablations.verdict import EXPECTATIONS, Rule
from gan.base.choices import is_number, nearest
from gan.base.errors import UserError, whole
from gan.base.paths import absolute
from gan.base.seeds import MAX_SEED
from gan.runs.config import KEYS, shipped_manifests
from gan.runs.yaml_files import lines_of, read_yaml

__all__ = ["FILE", "Arm", "Manifest", "manifest_of", "read_manifest", "seeds_of"]

SCORES = ("final", "best")
MAPPED_SCORES = {"mean_of_last": (), "scalar": ("where",)}  # a score with a parameter -> its further keys
BASE = ("config", *(key for key in KEYS if key not in ("run", "seed_everything", "threads")))
MOST_ARMS, MOST_SEEDS = 10_000, 10_000


KNOWN = (
    *("name", "question", "claim", "source", "base", "baseline", "arms", "grid", "random", "seeds", "budgets"),
    *("steps", "budget_in", "score", "failure", "rules", "keep"),
)


def read_manifest(name: str | Path) -> Manifest:
    """Return a manifest: that of a file, a shipped one by its name, or that of a sweep's directory.

    All keys and values are checked but those of the arms, which `gan.ablations.planning` builds. UserError names file
    and line.
    """
    path = absolute(name, "manifest")
    if path.is_dir() and (path / FILE).is_file():
        path = path / FILE
    elif not path.is_file():
        known = shipped_manifests()
        if str(name) not in known:
            raise UserError(f"manifest {name}: no such file, and no shipped manifest; {nearest(name, known)}")
        path = known[str(name)]
    tree = read_yaml(path, str(path))
    default = path.parent.name if path.name == FILE else path.stem
    return manifest_of(tree, default, Origin(str(path), lines_of(path)))


def manifest_of(tree: Mapping[str, Any], name: str, origin: Origin) -> Manifest:
    """Return the manifest in a tree. `name` is that of a manifest that names itself nothing else."""
    return _Reader(dict(tree), origin).manifest(name)


class _Reader:
    """Checks a tree, key by key. Its errors name the file and the line of the key."""

    def __init__(self, tree: dict[str, Any], origin: Origin) -> None:
        self.tree, self.origin, self.error = tree, origin, origin.error

    def manifest(self, name: str) -> Manifest:
        tree = self.tree
        self.known((), tree, KNOWN)
        for key in ("question", "seeds", "budgets"):
            if tree.get(key) is None:
                raise self.error((), f"lacks {key}")
        arms = self.arms()
        baseline = tree.get("baseline", next(iter(arms)))
        if not isinstance(baseline, str) or baseline not in arms:
            raise self.error(("baseline",), f"{baseline!r} is no arm; {nearest(baseline, arms)}")
        budgets = self.mapping("budgets")
        if "full" not in budgets:
            raise self.error(("budgets",), "budgets needs full: the length of a run")
        for key, value in budgets.items():
            self.checked(("budgets", key), whole, value, f"budgets.{key}", 1)
        unit = tree.get("budget_in", UNITS[0])
        if unit not in UNITS:
            raise self.error(("budget_in",), f"budget_in must be one of {', '.join(UNITS)}, got {unit!r}")
        texts = {key: self.text(key) for key in ("question", "claim", "source")}
        keep = tree.get("keep", KEEP[0])
        if keep not in KEEP:
            raise self.error(("keep",), f"keep must be one of {', '.join(KEEP)}, got {keep!r}")
        return Manifest(
            name=self.text("name") or name,
            question=texts["question"] or "",
            claim=texts["claim"],
            source=texts["source"],
            base=self.base(),
            arms=arms,
            baseline=baseline,
            seeds=self.seeds(),
            budgets=budgets,
            steps=self.checked(("steps",), whole, tree.get("steps", budgets["full"]), "steps", 1),
            budget_in=unit,
            score=self.score(),
            failure=self.failure(),
            rules=self.rules(arms, baseline),
            keep=keep,
            origin=self.origin,
        )

    def base(self) -> dict[str, Any]:
        base = self.mapping("base")
        self.known(("base",), base, BASE)
        config, trainer = base.get("config", []), base.get("trainer")
        if not isinstance(config, str) and not (isinstance(config, list) and all(isinstance(n, str) for n in config)):
            raise self.error(("base", "config"), f"base.config must be a name, or a list of names, got {config!r}")
        if isinstance(trainer, Mapping) and "max_steps" in trainer:
            raise self.error(("base", "trainer", "max_steps"), "the length of the runs is budgets.full, not max_steps")
        return base

    def arms(self) -> dict[str, Arm]:
        trees = arm_trees(self.tree, self.error)
        if not trees or len(trees) > MOST_ARMS:
            raise self.error(("arms",), f"a manifest needs from 1 to {MOST_ARMS} arms, got {len(trees)}")
        arms = {}
        for name, tree in trees.items():
            overrides = {key: value for key, value in tree.items() if key not in ("grid", "step")}
            if (step := tree.get("step")) is not None:
                self.checked(("arms", name, "step"), whole, step, f"arms.{name}.step", 1)
            arms[name] = Arm(overrides, checked_grid(tree.get("grid") or {}, ("arms", name, "grid"), self.error), step)
        if len({arm.step is None for arm in arms.values()}) == 2:
            raise self.error(("arms",), "all arms have a step, or none: held-out and test images do not compare")
        return arms

    def seeds(self) -> tuple[int, ...]:
        found = self.checked(("seeds",), seeds_of, self.tree["seeds"])
        return found

    def score(self) -> str | dict[str, Any]:
        score = self.tree.get("score", "final")
        kind = next(iter(score), None) if isinstance(score, Mapping) else None
        if kind in MAPPED_SCORES:
            self.known(("score",), score, (kind, *MAPPED_SCORES[kind]))
            if kind == "mean_of_last":
                self.checked(("score", kind), whole, score[kind], f"score.{kind}", 1)
            else:
                self._scalar(score)
            return dict(score)
        if score not in SCORES:
            allowed = f"{', '.join(SCORES)}, {{mean_of_last: K}} or {{scalar: TAG, where: {{TAG: [LOW, HIGH]}}}}"
            raise self.error(("score",), f"score must be {allowed}, got {score!r}")
        return score

    def _scalar(self, score: Mapping[str, Any]) -> None:
        where = score.get("where", {})
        pairs = isinstance(where, Mapping) and all(
            isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in where.values()
        )
        if not isinstance(score["scalar"], str) or not pairs:
            raise self.error(("score",), f"score must be {{scalar: TAG, where: {{TAG: [LOW, HIGH]}}}}, got {score!r}")

    def failure(self) -> dict[str, float]:
        failure = self.mapping("failure")
        self.known(("failure",), failure, ("fid_above", "class_share_below"))
        for key, value in failure.items():
            if not is_number(value) or value <= 0:
                raise self.error(("failure", key), f"failure.{key} must be a positive number, got {value!r}")
        if "class_share_below" in failure and self.score() != "final":
            raise self.error(
                ("failure", "class_share_below"), "class_share_below is of the report: it needs score final"
            )
        return failure

    def rules(self, arms: Mapping[str, Arm], baseline: str) -> dict[str, Rule]:
        rules = self.mapping("rules")
        made = {}
        for name, rule in rules.items():
            where = ("rules", name)
            if name not in arms or name == baseline:
                others = [arm for arm in arms if arm != baseline]
                raise self.error(where, f"rules: {name!r} is no arm beside the baseline; {nearest(name, others)}")
            rule = {"expect": rule} if isinstance(rule, str) else rule
            if not isinstance(rule, Mapping) or rule.get("expect") not in EXPECTATIONS:
                raise self.error(where, f"rules.{name} must be {', '.join(EXPECTATIONS)}, or {{expect: …, margin: …}}")
            self.known(where, rule, ("expect", "margin"))
            margin = rule.get("margin", 0.25)
            if not is_number(margin) or not 0 < margin < math.inf:
                raise self.error((*where, "margin"), f"rules.{name}.margin must be a positive number, got {margin!r}")
            made[name] = Rule(rule["expect"], margin)
        return made

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.tree.get(key) or {}
        if not isinstance(value, Mapping):
            raise self.error((key,), f"{key} must be a mapping, got {value!r}")
        return dict(value)

    def text(self, key: str) -> str | None:
        value = self.tree.get(key)
        if not isinstance(value, str | None):
            raise self.error((key,), f"{key} must be a text, got {value!r}")
        return value

    def known(self, where: tuple[str, ...], tree: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in tree:
            if key not in known:
                path = ".".join((*where, str(key)))
                raise self.error((*where, key), f"unknown key {path!r}; {nearest(str(key), known)}")

    def checked(self, where: tuple[str, ...], check: Any, *arguments: Any) -> Any:
        """Return what a check returns. Its UserError gets file and line."""
        try:
            return check(*arguments)
        except UserError as error:
            raise self.error(where, str(error)) from None


def seeds_of(value: Any) -> tuple[int, ...]:
    """Return the seeds that a list of numbers, or a text such as `1-3` or `1,2,7-9`, names."""
    wrong = f"seeds must be a text such as 1-5, or a list of different numbers, got {value!r}"
    if isinstance(value, str):
        seeds: list[Any] = []
        for part in value.split(","):
            first, _, last = (word.strip() for word in part.partition("-"))
            last = last or first
            if not (first.isdecimal() and last.isdecimal() and int(last) - int(first) < MOST_SEEDS):
                raise UserError(wrong)
            seeds += range(int(first), int(last) + 1)
        value = seeds
    if not isinstance(value, list | tuple) or not value or len(set(map(repr, value))) < len(value):
        raise UserError(wrong)
    return tuple(whole(seed, "seeds", most=MAX_SEED) for seed in value)
