"""Small runs through the command line: `gan(…)` in this process, `process(…)` in one of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import prepared
import pytest
import torch
from support import COVERING, tiny_change
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from gan.cli import main
from gan.cli.flags import parse_flags
from gan.measure.extractors.extractor import Extractor, Features
from gan.runs.fit import configuration
from gan.runs.reader import Run
from gan.runs.rows import score_name
from gan.variants import VARIANTS

DATA = ("--data.source=embedded",)


def flags(change: dict[str, Any]) -> list[str]:
    """A recipe's diff as flags of `gan fit`."""
    return [f"--model.recipe.{field}={json.dumps(value)}" for field, value in change.items()]


TINY = {variant: (f"--model={variant}", *flags(tiny_change(variant))) for variant in VARIANTS}
FEW = [variant for variant in COVERING if variant in VARIANTS]
MANY = 500  # images: those of the embedded digits
SMALL = ("--image_grid.num_images=12",)
QUIET = ("--evaluation.every_n_steps=0", "--image_grid.every_n_steps=0", "--scalars.every_n_steps=0")


@contextmanager
def statistics_once() -> Iterator[None]:
    """Within it, an extractor looks at the same many images once: real ones cost a second a run."""
    known: dict[tuple[str, int, int], Features] = {}
    look = Extractor.__call__

    def once(extractor: Extractor, images: torch.Tensor) -> Features:
        if len(images) < MANY:
            return look(extractor, images)
        key = (extractor.sha256, len(images), int(images.sum()))
        if key not in known:
            known[key] = look(extractor, images)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Extractor, "__call__", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def real_statistics_once() -> Iterator[None]:
    """Every run of a test module that imports this fixture finds them computed."""
    with statistics_once():
        yield


def gan(*words: object) -> int:
    """Run a command in this process; its exit code."""
    path = list(sys.path)
    try:
        with warnings.catch_warnings():
            main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.path[:] = path
    raise AssertionError("main returned without an exit code")


def resolved(*words: object) -> dict[str, Any]:
    """What `gan fit` with these words would write to config.yaml."""
    flags = parse_flags([str(word) for word in words], words=("config",))
    return configuration(flags.words["config"], **flags.tree)


def fit(directory: Path, *flags: object, steps: int = 6, variant: str = "MLPGAN") -> Path:
    """A tiny run without evaluation and logging, unless the flags ask for them; it must end well."""
    words = (*TINY[variant], *SMALL, *DATA, *QUIET, f"--trainer.max_steps={steps}", f"--run={directory}", *flags)
    assert gan("fit", *words) == 0
    return directory


def script() -> str:
    """The installed `gan` command."""
    executable = shutil.which("gan", path=str(Path(sys.executable).parent)) or shutil.which("gan")
    assert executable, "the package is not installed: pip install -e ."
    return executable


def start(*words: object, **settings: Any) -> subprocess.Popen:
    """The real `gan` command as a process, imports included."""
    return spawn([script(), *map(str, words)], **settings)


def spawn(command: list[str], **settings: Any) -> subprocess.Popen:
    """A process whose output is read and which Ctrl-C reaches."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} | settings.pop("environment", {})
    # A shell's background job, where the tests may run, ignores Ctrl-C, and its children inherit that.
    settings["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **settings
    )


def start_prepared(*words: object, **settings: Any) -> subprocess.Popen:
    """A `gan` command in a prepared process."""
    return spawn(prepared.command("from gan.cli import main\nmain()", script(), *map(str, words)), **settings)


def process(*words: object, **settings: Any) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a `gan` command in a prepared process."""
    return ended(start_prepared(*words, **settings))


SEVERAL = """
import json, sys
from gan.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        if end.code:
            raise
"""


def processed(*commands: tuple[str, ...], **settings: Any) -> None:
    """Several commands in one prepared process; all must end well."""
    code, _, err = ended(spawn(prepared.command(SEVERAL, script(), json.dumps(commands)), **settings))
    assert code == 0, err


def ended(running: subprocess.Popen, within: float = 240) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a process, waited for."""
    with running:
        try:
            out, err = running.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            running.kill()
            raise
    return running.returncode, out, err


def checkpoint(run: Path, kind: str = "last") -> dict[str, Any]:
    """The content of a run's newest checkpoint of that kind."""
    return torch.load(Run(run).checkpoint(kind), map_location="cpu", weights_only=True)


def rows(run: Path) -> list[dict[str, Any]]:
    """The scores of a run, or of any trainer that wrote there: without rows of further measures."""
    return [row for row in every_row(run) if score_name(row)]


def every_row(run: Path) -> list[dict[str, Any]]:
    """What was measured in a run."""
    return Run(run).rows


def scalars(run: Path) -> dict[str, dict[int, float]]:
    """Tag -> step -> value, from the event files."""
    return Run(run).scalars()


def images(run: Path) -> dict[str, list[int]]:
    """Tag -> steps of its pictures, from the event files."""
    return Run(run).image_steps()


def hparams_tab(logs: Path) -> dict[str, tuple[dict[str, Any], dict[str, float], str]]:
    """What the HPARAMS tab shows: run -> (hyperparameters, last metric values, status), by its own code."""
    events = EventMultiplexer()
    events.AddRunsFromDirectory(str(logs))
    events.Reload()
    context = backend_context.Context(TBContext(data_provider=MultiplexerDataProvider(events, str(logs))))
    statuses = api_pb2.Status.values()
    request = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=10, allowed_statuses=statuses)
    response = list_session_groups.Handler(RequestContext(), context, "", request).run()
    found = {}
    for group in response.session_groups:
        (session,) = group.sessions
        values = {key: getattr(value, value.WhichOneof("kind")) for key, value in group.hparams.items()}
        metrics = {metric.name.tag: metric.value for metric in session.metric_values}
        found[session.name] = values, metrics, api_pb2.Status.Name(session.status)
    return found


def equal(a: Any, b: Any) -> bool:
    """Whether two trees of plain values and tensors are equal, bit for bit; NaN equals itself."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b or (a != a and b != b)


def same_end(a: Path, b: Path) -> None:
    """Both runs ended in the same weights, optimizer states, round, streams and data position."""
    first, second = checkpoint(a), checkpoint(b)
    for key in ("global_step", "state_dict", "optimizer_states", "adversarial", "hyper_parameters"):
        assert equal(first[key], second[key]), key
    assert equal(first["ImageDataModule"], second["ImageDataModule"])
    assert "position" in first["ImageDataModule"]


def same_run(a: Path, b: Path) -> None:
    """Both runs ended alike and left the same: rows, curves but for the speed, pictures, best checkpoint, snapshots."""
    same_end(a, b)
    first, second = Run(a), Run(b)
    rows = [[row | {"commit": None} for row in run.rows] for run in (first, second)]  # whoever edits code may go on
    assert rows[0] == rows[1]
    curves = [{t: c for t, c in run.scalars().items() if not t.startswith("throughput/")} for run in (first, second)]
    assert curves[0] == curves[1]
    assert first.scalars().keys() == second.scalars().keys()
    assert first.image_steps() == second.image_steps()
    for name in ("pictures", "snapshots"):
        files, others = getattr(first, name), getattr(second, name)
        assert files.keys() == others.keys()
        assert all(files[step].read_bytes() == others[step].read_bytes() for step in files)
    if first.saved("best") or second.saved("best"):
        assert first.checkpoint("best").name == second.checkpoint("best").name
        assert equal(checkpoint(a, "best")["state_dict"], checkpoint(b, "best")["state_dict"])
    assert not list(b.rglob("*.part"))


def error_line(captured: str) -> str:
    """The one line of a user's mistake."""
    lines = captured.strip().splitlines()
    assert len(lines) == 1, captured
    assert lines[0].startswith("gan: error: "), captured
    return lines[0]
