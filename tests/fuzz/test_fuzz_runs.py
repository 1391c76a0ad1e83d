"""Anything in the place of a run's files is read, gone on from, or refused in one line."""

import json
import shutil

import pytest
import safetensors.torch
import torch
from fuzz_support import alterations, altered, damaged, fuzz, junk, lawful, long_too, with_alterations
from hypothesis import strategies as st
from run_support import fit

from gan.runs.checkpoint import describe, load
from gan.runs.directory import CONFIG, METRICS, PROVENANCE, forget_after, write_provenance
from gan.runs.fit import resume
from gan.runs.reader import read_run

ROWS = [
    {"step": 1, "role": "selection", "fid": 2.5, "class_share": [0.1, 0.9]},
    {"step": 2, "role": "report", "fid": None},
    {"step": 3, "role": "selection", "fid": 1.5},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("runs") / "run", "--checkpoints.milestones=[2]", steps=2)


@long_too
def test_checkpoints_of_any_bytes(seconds, run, watch, tmp_path):
    whole, snapshot = read_run(run).checkpoint().read_bytes(), read_run(run).snapshots[2].read_bytes()
    header = len(snapshot[8:].split(b"}}")[0])
    deep = [(8 + n).to_bytes(8, "little") + b"[" * n for n in (10, 100_000)]

    def check(case):
        name, content = case
        (tmp_path / name).write_bytes(content)
        for read in (load, describe):
            with lawful(watch, tmp_path):
                read(tmp_path / name)

    names = st.sampled_from(("x.ckpt", "x.safetensors"))
    contents = damaged(whole, snapshot, snapshot[: header + 400]) | st.sampled_from(deep) | st.binary(max_size=50)
    fuzz(check, st.tuples(names, contents), 25, seconds)


tensors = st.sampled_from((torch.zeros(0), torch.zeros(3), torch.full((2, 2), float("nan")), torch.zeros(5056).byte()))


@long_too
def test_checkpoints_of_any_structure(seconds, run, watch, tmp_path):
    """They are loaded, described and gone on from, or refused."""
    content = torch.load(read_run(run).checkpoint(), weights_only=True)
    home = tmp_path / "run"

    def check(changes):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(run, home)
        torch.save(with_alterations(content, changes), read_run(home).checkpoint())
        for read in (load, describe):
            with lawful(watch, home):
                read(home)
        with lawful(watch, tmp_path):
            resume(home, trainer={"max_steps": 3, "enable_progress_bar": False})

    fuzz(check, alterations(content, junk | tensors | st.lists(tensors, max_size=2)), 6, seconds)


@long_too
def test_snapshots_of_any_structure(seconds, run, watch, tmp_path):
    path = read_run(run).snapshots[2]
    weights = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["gan"])
    deep = "[" * 20_000

    def check(case):
        text, kept = case
        some = {name: weights[name] for name in kept} or {"a": torch.zeros(1)}
        safetensors.torch.save_file(some, tmp_path / "x.safetensors", {"gan": text})
        for read in (load, describe):
            with lawful(watch, tmp_path):
                read(tmp_path / "x.safetensors")

    texts = altered(header).map(json.dumps) | st.just(deep) | st.text(max_size=9).filter(lambda t: t.isprintable())
    kept = st.just(sorted(weights)) | st.lists(st.sampled_from(sorted(weights)), unique=True)
    fuzz(check, st.tuples(texts, kept), 20, seconds)


@long_too
def test_records_of_any_content(seconds, run, watch, tmp_path):
    home = tmp_path / "run"
    shutil.copytree(run, home)
    sound = {name: (run / name).read_bytes() for name in (CONFIG, PROVENANCE)}
    sound[METRICS] = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    trees = altered(ROWS).map(lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode())
    odd = st.sampled_from((b"3", b"null", b"[" * 100_000, b'{"step": null}\n', b"[3]", b"NaN\n", b'{"step": 1e999}\n'))

    def check(case):
        name, content = case
        for other, bytes_ in sound.items():
            (home / other).write_bytes(bytes_)
        (home / name).write_bytes(content)
        for what in ("config", "variant", "seed", "recipe", "format", "rows", "report", "best", "provenance", "status"):
            with lawful(watch, home):
                getattr(read_run(home), what)
        with lawful(watch, home):
            forget_after(home, 2)
        with lawful(watch, home):
            write_provenance(home, {"time": "now"})

    cases = st.sampled_from((CONFIG, PROVENANCE, METRICS)).flatmap(
        lambda name: st.tuples(st.just(name), damaged(sound[name]) | odd | st.binary(max_size=20) | trees)
    )
    fuzz(check, cases, 30, seconds)


@long_too
def test_a_status_of_any_content(seconds, run, watch, tmp_path):
    status = pytest.importorskip("gan.runs.status")
    fields = {"state": "running", "reason": None, "step": 3, "pid": 1, "host": "h", "started": "2026-01-01T00:00:00"}
    fields |= {"heartbeat": "2026-01-01T00:00:00", "phase": None}

    def check(content):
        (tmp_path / "status.json").write_bytes(content)
        with lawful(watch, tmp_path):
            status.read_status(tmp_path)

    written = altered(fields).map(lambda tree: json.dumps(tree).encode())
    fuzz(check, written | st.binary(max_size=30) | st.sampled_from((b"3", b"null", b"[" * 100_000)), 40, seconds)
