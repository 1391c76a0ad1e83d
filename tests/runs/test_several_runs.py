"""`gan.fit` and its like in Python: the command line's checks, and several runs in a process as if each were alone."""

import json
import os
import sys
from pathlib import Path

import prepared
import pytest
import torch
from run_support import checkpoint, ended, equal, error_line, gan, rows, spawn
from support import tiny_change

import gan as package
from gan.base.errors import UserError

OFF = {"every_n_steps": 0}
FIRST = {
    "model": "MLPGAN",
    "recipe": tiny_change("MLPGAN"),
    "data": {"source": "embedded"},
    "trainer": {"max_steps": 4, "deterministic": True, "detect_anomaly": True, "logger": "CSVLogger"},
    "evaluation": {"every_n_steps": 2, "num_samples": 50},
    **{"image_grid": OFF, "scalars": OFF},
}
SECOND = FIRST | {
    "model": "DCGAN",
    "recipe": tiny_change("DCGAN"),
    "evaluation": OFF,
    "trainer": {"max_steps": 3, "enable_progress_bar": False},
    "seed_everything": 5,
}


@pytest.fixture
def runs(tmp_path_factory) -> dict[str, list[Path]]:
    """The same two runs twice: each is the first of its process once, as if alone, and once the second."""
    home = tmp_path_factory.mktemp("runs")
    code = "import json, sys, gan\nfor given in json.loads(sys.argv[1]): gan.fit(**given)"
    found: dict[str, list[Path]] = {}
    for number, order in enumerate([(FIRST, SECOND), (SECOND, FIRST)]):
        directories = [home / f"{number}" / given["model"] for given in order]
        words = json.dumps([given | {"run": str(path)} for given, path in zip(order, directories, strict=True)])
        status, _, err = ended(spawn(prepared.command(code, "-c", words)))
        assert status == 0, err
        assert err.count("the 5,000 embedded digits") == 2, "each run says what it has to"
        for kind, directory in zip(("alone", "after another"), directories, strict=True):
            found.setdefault(kind, []).append(directory)
    found["after another"].reverse()  # in the order of those alone
    return found


@pytest.mark.slow
def test_runs_in_one_process_end_as_in_a_process_each(runs):
    for together, alone in zip(runs["after another"], runs["alone"], strict=True):
        first, second = checkpoint(together), checkpoint(alone)
        for key in ("global_step", "state_dict", "optimizer_states", "adversarial", "hyper_parameters"):
            assert equal(first[key], second[key]), key
        assert rows(together) == rows(alone)
        kept = [json.loads((run / "provenance.json").read_text())[0] for run in (together, alone)]
        for key in ("deterministic_algorithms", "float32_matmul_precision", "precision", "threads"):
            assert kept[0][key] == kept[1][key], key
        configs = [(run / "config.yaml").read_text().replace(str(run), "RUN") for run in (together, alone)]
        assert configs[0] == configs[1]


def test_a_run_leaves_the_process_as_it_was(tmp_path):
    before = dict(os.environ), list(sys.path)
    package.fit(**FIRST | {"evaluation": OFF}, run=tmp_path / "run")
    assert (dict(os.environ), list(sys.path)) == before
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.is_anomaly_enabled()


def test_python_does_what_the_commands_do(tmp_path):
    outcome = package.fit("mlp_gan", **FIRST | {"evaluation": OFF}, run=tmp_path / "run")
    assert (outcome.step, outcome.directory, outcome.state) == (4, tmp_path / "run", "finished")
    assert package.resume(tmp_path / "run", trainer={"max_steps": 5}).step == 5
    images = package.sample(tmp_path / "run", 20, seed=3)
    assert torch.equal(images, package.load(tmp_path / "run").sample(20, 3))
    assert package.sample(tmp_path / "run", 20, interpolate=True).shape == (20, 1, 28, 28)
    row = package.evaluate(tmp_path / "run", 30)
    assert (row["step"], row["num_fake"], row["source"]) == (5, 30, "embedded")
    assert len(row["class_names"]) == len(row["class_share"]) == 10


MISTAKES = [
    ({"model": "MLPGANN"}, ["--model=MLPGANN"]),
    ({"recipe": {"piror": "normal"}}, ["--model.recipe.piror=normal"]),
    ({"recipe": {"generator_optimizer": {"lr": "fast"}}}, ["--model.recipe.generator_optimizer.lr=fast"]),
    ({"data": {"sorce": "idx"}}, ["--data.sorce=idx"]),
    ({"trainer": {"max_step": 3}}, ["--trainer.max_step=3"]),
    ({"trainer": {"max_steps": "abc"}}, ["--trainer.max_steps=abc"]),
    ({"checkpoints": {"milestones": ["a"]}}, ["--checkpoints.milestones=[a]"]),
    ({"seed_everything": -1}, ["--seed_everything=-1"]),
    ({"config": "mlp_gann"}, ["--config=mlp_gann"]),
]


@pytest.mark.parametrize(("given", "flags"), MISTAKES, ids=lambda value: str(value)[:40])
def test_python_refuses_with_the_command_line_s_words(given, flags, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refused:
        package.fit(**{"model": "MLPGAN"} | given)
    assert gan("fit", "--model=MLPGAN", *flags) == 2
    assert error_line(capsys.readouterr().err) == f"gan: error: {refused.value}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: package.fit(trainer=5), "trainer must be a mapping, got 5"),
        (
            lambda: package.fit(model="MLPGAN", trainer={"callbacks": [object()]}),
            "type object cannot be written into a configuration",
        ),
        (lambda: package.resume("nowhere"), "nowhere: not a run"),
        (lambda: package.sample("nowhere", 0), "--num must be a whole number from 1"),
        (lambda: package.sample("nowhere", 5, weights="best"), "--weights must be raw or ema"),
        (lambda: package.evaluate("nowhere", data={"name": "mnist"}), "data.name: a generator is measured on its own"),
        (lambda: package.evaluate("nowhere", checkpoint="first"), "--checkpoint must be last or best"),
    ],
)
def test_python_s_own_mistakes_are_one_line(call, says):
    with pytest.raises(UserError) as refused:
        call()
    assert says in str(refused.value)
