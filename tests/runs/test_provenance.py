"""Commits and diffs of the right repository."""

import subprocess

import torch

from gan.runs.provenance import commit, provenance, repository
from gan.variants.mlp_gan import MLPGAN


def git(directory, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *identity, *words], cwd=directory, check=True, capture_output=True)


def test_a_commit_a_change_and_no_repository(tmp_path):
    inside, outside = tmp_path / "repository", tmp_path / "elsewhere"
    for directory in (inside, outside):
        directory.mkdir()
    assert repository(outside) == {"commit": None, "uncommitted_diff": ""}
    git(inside, "init", "-q")
    (inside / "a.py").write_text("x = 1\n")
    git(inside, "add", "a.py")
    git(inside, "commit", "-q", "-m", "first")
    clean = repository(inside)
    assert len(clean["commit"]) == 40
    assert clean["uncommitted_diff"] == ""
    commit.cache_clear()
    (inside / "a.py").write_text("x = 2\n")
    changed = repository(inside)
    assert changed["commit"] == clean["commit"] + "+"
    assert "+x = 2" in changed["uncommitted_diff"]


def test_a_wheel_inside_a_foreign_repository_has_no_commit(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    installed = tmp_path / "venv" / "gan"
    installed.mkdir(parents=True)
    (installed / "cli.py").write_text("")
    assert commit(installed) is None


def test_an_entry_has_all_its_parts(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    entry = provenance(MLPGAN, {"source": "embedded"}, torch.device("cpu"), "32-true")
    assert entry["repositories"].keys() == {"gan"}
    assert entry["job"]["SLURM_JOB_ID"] == "42"
    assert entry["data"] == {"source": "embedded"}
    assert entry["precision"] == "32-true"
    assert entry["threads"] == torch.get_num_threads()
    assert entry["versions"]["torch"] == torch.__version__.split("+")[0] or torch.__version__.startswith(
        entry["versions"]["torch"].split("+")[0]
    )
    assert {"command", "platform", "device", "float32_matmul_precision", "deterministic_algorithms"} <= entry.keys()
