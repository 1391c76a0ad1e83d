"""What a manifest says, as plain frozen values: arms, seeds, lengths, and the rules that will decide."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan.ablations.arms import points_of
from gan.ablations.verdict import Rule
from gan.base.errors import UserError
from gan.runs.directory import write_text
from gan.runs.yaml_files import Lines, to_yaml

FILE = "manifest.yaml"  # the resolved manifest, in the directory of its sweep
UNITS = ("updates", "images")
KEEP = ("generator", "all", "none")  # checkpoints of a finished run; the first is the default


@dataclass(frozen=True)
class Origin:
    """Where a manifest was read, so that an error can name file and line."""

    file: str
    lines: Lines = field(default_factory=dict)

    def error(self, where: tuple[Any, ...], message: str) -> UserError:
        """Return an error at a place of the tree, or at the nearest place around it that has a line."""
        line = next((self.lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in self.lines), None)
        return UserError(f"{self.file}:{line}: {message}" if line else f"{self.file}: {message}")


@dataclass(frozen=True)
class Arm:
    """What an arm changes: keys of `gan fit`, or fields of the recipe, dotted or as mappings."""

    overrides: dict[str, Any]
    grid: dict[str, list[Any]] = field(default_factory=dict)  # key -> values; of the points the best one counts
    step: int | None = None  # the arm is read at this step, on held-out images; None: by the manifest's score

    @property
    def points(self) -> dict[str, dict[str, Any]]:
        """Name -> overrides of each point of the grid. An arm without a grid is one point, whose name is empty."""
        return points_of(self.overrides, self.grid)


@dataclass(frozen=True)
class Manifest:
    """A question, and how it will be answered."""

    name: str
    question: str
    base: dict[str, Any]  # the sections of `gan fit` that all arms share, and `config`: files, or shipped configs
    arms: dict[str, Arm]
    baseline: str  # the name of an arm
    seeds: tuple[int, ...]
    budgets: dict[str, int]  # name -> length of a run; it has a `full` one
    steps: int  # the length of this sweep's runs: one of the budgets, or a number that was given
    budget_in: str = UNITS[0]  # what lengths count: generator updates, or the real images that D sees
    claim: str | None = None
    source: str | None = None
    score: str | dict[str, Any] = "final"  # or `best`, {mean_of_last: K}, {scalar: TAG, where: {TAG: [LOW, HIGH]}}
    failure: dict[str, float] = field(default_factory=dict)  # beside a crash and divergence: {fid_above: X}
    rules: dict[str, Rule] = field(default_factory=dict)  # arm -> what is claimed of it against the baseline
    keep: str = KEEP[0]
    origin: Origin = field(default=Origin("manifest"), compare=False, repr=False)

    @property
    def configs(self) -> tuple[str, ...]:
        """The config files, or names of shipped ones, that all arms begin with."""
        config = self.base.get("config", ())
        return (config,) if isinstance(config, str) else tuple(config)

    @property
    def length(self) -> str:
        """The length of a run in words: `20,000 generator updates`."""
        return f"{self.steps:,} {'generator updates' if self.budget_in == 'updates' else 'real images'}"

    def to_tree(self) -> dict[str, Any]:
        """Return the resolved manifest as plain values, which `read_manifest` reads as the same manifest."""
        arms = {
            name: arm.overrides | ({"grid": arm.grid} if arm.grid else {}) | ({"step": arm.step} if arm.step else {})
            for name, arm in self.arms.items()
        }
        rules = {name: {"expect": rule.expect, "margin": rule.margin} for name, rule in self.rules.items()}
        tree: dict[str, Any] = {"name": self.name, "question": self.question, "claim": self.claim}
        tree |= {"source": self.source, "base": self.base, "baseline": self.baseline, "arms": arms}
        tree |= {"seeds": list(self.seeds), "budgets": self.budgets, "steps": self.steps}
        tree |= {"budget_in": self.budget_in, "score": self.score}
        tree |= {"failure": self.failure, "rules": rules, "keep": self.keep}
        return {key: value for key, value in tree.items() if value not in (None, {})}

    def write(self, directory: Path) -> None:
        """Write the resolved manifest into the directory of its sweep."""
        write_text(directory / FILE, to_yaml(self.to_tree()))
