"""Reads what a run left on the disk. Scripts, tests and reports see a run only through `Run`.

The import is light. Torch is not needed, and TensorBoard's reader is imported only when pictures are asked for.
"""

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.engine.formats import recorded_format
from gan.runs.directory import CONFIG, METRICS, PROVENANCE, RESOLVED
from gan.runs.events import read_scalars
from gan.runs.exported import weights_of
from gan.runs.integrity import damage
from gan.runs.owner import owner_of
from gan.runs.rows import Row, loss_of, score_name, score_of
from gan.runs.status import Alarm, Status, read_status
from gan.runs.yaml_files import read_tree


@dataclass(frozen=True)
class Run:
    """A run's directory. Each file is read when it is first asked for, and not again.

    `read_run` refuses a directory that is no run. `Run` itself takes any directory, such as that of your own trainer.
    """

    directory: Path

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration as a plain tree. UserError if the directory has none."""
        if self._config is None:
            raise UserError(f"{self.directory}: not a run (no {CONFIG} of gan fit's); give the directory of a gan fit")
        return self._config

    @property
    def is_run(self) -> bool:
        """Whether the directory holds a resolved configuration, as every run of `gan fit` does."""
        return self._config is not None

    @property
    def variant(self) -> str:
        """The name of the variant's class."""
        return str(self.config["model"]["class_path"]).rpartition(".")[2]

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe as it stands in the configuration. In format 1 it holds only what was given."""
        return self.config["model"].get("init_args", {}).get("recipe", {})

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.config["seed_everything"]

    @property
    def format(self) -> int:
        """The format of the configuration, which is 1 if it names none."""
        return recorded_format(self.config, str(self.directory / CONFIG))

    @cached_property
    def provenance(self) -> list[dict[str, Any]]:
        """One entry for the start and one for each resumption. A run that failed before training has none."""
        file = self.directory / PROVENANCE
        entries = _json(file.read_bytes(), str(file)) if file.is_file() else []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise UserError(f"{file}: must be a list of entries")
        return entries

    @cached_property
    def rows(self) -> list[Row]:
        """All measurements, in the order of writing.

        A number that is not finite is None. A last line that a crash cut off is left out. UserError for other damage.
        """
        file = self.directory / METRICS
        lines = file.read_bytes().split(b"\n") if file.is_file() else [b""]
        if _is_cut_off(lines[-1]):
            lines.pop()
        return [_row(line, f"{file}:{number}") for number, line in enumerate(lines, start=1)]

    @property
    def selection_rows(self) -> list[Row]:
        """The measurements of the score on held-out images."""
        return [row for row in self.rows if row.get("role") == "selection" and score_name(row)]

    @property
    def report_rows(self) -> list[Row]:
        """The measurements of the score on test images. There is one for each time that the run came to its end."""
        return [row for row in self.rows if row.get("role") == "report" and score_name(row)]

    @property
    def report(self) -> Row | None:
        """The report that counts, or None. It is that of the highest step, and the newest one of that step.

        A run that was continued beyond its end has a report for each end.
        """
        return max(reversed(self.report_rows), key=lambda row: row["step"], default=None)

    @property
    def best(self) -> Row | None:
        """The first measurement on held-out images with the best score, or None if no score is finite."""
        finite = [row for row in self.selection_rows if score_of(row) is not None]
        return min(finite, key=loss_of, default=None)

    @property
    def checkpoints(self) -> dict[int, Path]:
        """Step -> full checkpoint, for the last two and the best one. Those of one step hold the same."""
        return self.saved("best") | self.saved("last")

    @property
    def snapshots(self) -> dict[int, Path]:
        """Step -> snapshot of the generator, for each milestone."""
        return self._files("checkpoints", "generator", "safetensors")

    def saved(self, kind: str) -> dict[int, Path]:
        """Step -> checkpoint of a kind, `last` or `best`."""
        return self._files("checkpoints", kind, "ckpt")

    def checkpoint(self, kind: str = "last") -> Path:
        """Return the newest checkpoint of a kind, `last` or `best`. UserError if there is none."""
        files = self.saved(kind)
        if not files:
            where = f"{self.directory}: holds no checkpoints/{kind}_step_*.ckpt"
            raise UserError(f"{where}; give a run of gan fit, a checkpoint, or an export")
        return files[max(files)]

    @property
    def step(self) -> int | None:
        """The number of generator updates before the last checkpoint, or None without a checkpoint."""
        return max(self.saved("last"), default=None)

    @cached_property
    def record(self) -> Status | None:
        """What the run said of itself last. None for a run of an older version, which said nothing."""
        return read_status(self.directory)

    @property
    def state(self) -> str:
        """`running`, `killed`, `stopped`, `finished`, `failed`, `diverged`, or `started` (no checkpoint yet).

        The run's own record says so. A run that was running, but whose process is gone, was killed. Without a record
        the last checkpoint and `trainer.max_steps` decide. A run of that age that ends by epochs is never finished.
        """
        if self.record:
            dead = self.record.state == "running" and owner_of(self.directory) is None
            return "killed" if dead else self.record.state
        step, end = self.step, (self.config.get("trainer") or {}).get("max_steps")
        if step is None:
            return "started"
        return "finished" if isinstance(end, int) and 0 <= end <= step else "stopped"

    @property
    def status(self) -> str:
        """The state with its step and its reason: `finished`, `stopped at 120 (signal SIGTERM)`, `killed at 80`."""
        if self.record:
            return str(replace(self.record, state=self.state))
        return f"stopped at {self.step}" if self.state == "stopped" else self.state

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What the watchdog saw, in the order in which it began."""
        return self.record.alarms if self.record else ()

    @property
    def pictures(self) -> dict[int, Path]:
        """Step -> picture of the grid of samples."""
        return self._files("samples", "", "png")

    @property
    def newest_picture(self) -> Path | None:
        """The grid of samples of the highest step, or None."""
        return next(reversed(self.pictures.values()), None)

    @property
    def real_picture(self) -> Path | None:
        """The grid of real images, or None."""
        file = self.directory / "samples" / "real.png"
        return file if file.is_file() else None

    def scalars(self, tags: Collection[str] | None = None) -> dict[str, dict[int, float]]:
        """Return tag -> step -> value, of all tags or of some: without values that a resumed run computed again."""
        return read_scalars(self.directory, tags)

    def image_steps(self) -> dict[str, list[int]]:
        """Return tag -> steps of the pictures in the event files."""
        return {tag: [event.step for event in self._events.Images(tag)] for tag in self._events.Tags()["images"]}

    @cached_property
    def _config(self) -> dict[str, Any] | None:
        """The resolved configuration, or None. UserError for a file that cannot be read as YAML."""
        file = self.directory / CONFIG
        tree = read_tree(file, str(file)) if file.is_file() else None
        if not (isinstance(tree, dict) and tree.keys() >= RESOLVED and isinstance(tree["model"], dict)):
            return None
        return tree if "class_path" in tree["model"] else None

    @cached_property
    def _events(self) -> Any:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        return EventAccumulator(str(self.directory), size_guidance={"images": 0}).Reload()  # 0: all

    def _files(self, folder: str, kind: str, suffix: str) -> dict[int, Path]:
        """Return step -> file `kind_step_N.suffix`, in the order of the steps."""
        name = re.compile(rf"{kind}{'_' if kind else ''}step_(\d+)\.{suffix}")
        found = [(name.fullmatch(file.name), file) for file in (self.directory / folder).glob(f"*.{suffix}")]
        return dict(sorted((int(match[1]), file) for match, file in found if match))


def read_run(path: str | Path) -> Run:
    """Return the run in a directory. UserError if the directory is no run."""
    run = Run(absolute(path, "run"))
    _ = run.config
    return run


def find_runs(directory: str | Path) -> list[Run]:
    """Return every run in a directory and below it, sorted by path."""
    runs = [Run(file.parent) for file in sorted(absolute(directory, "directory").rglob(CONFIG))]
    return [run for run in runs if run.is_run]


def run_of(path: str | Path) -> Run | None:
    """Return the run that `path` is, or the run that the file `path` lies in. None if there is no such run."""
    path = absolute(path, "path")
    for folder in (path, *path.parents[:2]):
        if (folder / CONFIG).is_file() and (folder / PROVENANCE).is_file():
            return read_run(folder)
    return None


def export_in(directory: Path) -> Path | None:
    """Return the file of weights in an export. None for another path. UserError for an export that lacks a file."""
    return None if Run(directory).checkpoints else weights_of(directory)


def find_checkpoint(path: str | Path, kind: str = "last") -> Path:
    """Return `path` itself if it is a file, or the newest sound checkpoint of a kind (`last`, `best`) in a run.

    Of an export it is the file of weights. A newer checkpoint that is damaged is said in a line. If all are damaged,
    the newest is returned, whose reading is refused.
    """
    place = absolute(path, "path")
    if not place.is_dir():
        return place
    if exported := export_in(place):
        return exported
    newest = Run(place).checkpoint(kind)
    reason = damage(newest)
    for file in reversed(Run(place).saved(kind).values()) if reason else ():
        if damage(file) is None:
            from gan.base.notes import say  # it imports Lightning

            say(f"note: {newest}: damaged ({reason}); taking {file.name}, which was saved before it")
            return file
    return newest


def _row(line: bytes, where: str) -> Row:
    """Return a line of `metrics.jsonl`. UserError, which says where, for a line that is no object with its step."""
    row = _json(line, where)
    if not isinstance(row, dict):
        raise UserError(f"{where}: not a row of a measurement (a JSON object)")
    step = row.get("step")
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise UserError(f"{where}: step must be a whole number of generator updates, got {step!r}")
    return row


def _is_cut_off(line: bytes) -> bool:
    """Return whether what follows the last line break is no whole row: it is empty, or a part of a row."""
    try:
        return not isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return True


def _json(text: bytes, where: str) -> Any:
    """Read strict JSON, which has no NaN and no infinity. UserError for other text."""
    try:
        return json.loads(text.decode(), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not readable as JSON ({error}); a crash or an editor may have cut it") from None


def _finite(text: str) -> float:
    """Return the number that is written in `text`. ValueError if it is not finite, since JSON has no word for that."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no number of JSON")
    return number
