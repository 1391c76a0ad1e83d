"""`trainer.precision=auto`: the rule, what is recorded, and that it is kept. Fast processors are pretended."""

import pytest
from support import tiny_change

import gan
from gan.engine.recipe import Recipe
from gan.runs import precision
from gan.runs.config import parts
from gan.runs.plan import plan
from gan.runs.precision import FAST, FULL, precision_of
from gan.runs.reader import Run
from gan.variants.dcgan import DCGAN
from gan.variants.mlp_gan import MLPGAN

SYSTEM = ("DCGAN", "mnist", DCGAN.defaults.digest)


def planned(recipe=None, **trainer):
    model = {"class_path": "DCGAN", "recipe": recipe or {}}
    return plan(parts((), {"model": model, "trainer": {"precision": "auto", "accelerator": "cpu", **trainer}}))


@pytest.fixture
def fast(monkeypatch):
    """A processor with products in bfloat16, and one system that was shown to lose nothing in it."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "SHOWN", {SYSTEM: "DCGAN"})


def test_auto_takes_bfloat16_where_it_is_fast_and_costs_the_system_nothing(fast, monkeypatch):
    assert precision_of(planned()).name == FAST
    assert precision_of(planned(accelerator="gpu")).name == FULL
    assert precision_of(planned(), copies=2).name == FULL
    other = plan(
        parts(
            (), {"model": {"class_path": "DCGAN", "recipe": {"batch_size": 65}}, "trainer": planned().tree["trainer"]}
        )
    )
    assert "not shown" in precision_of(other).why
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: False)
    assert precision_of(planned()).name == FULL


def test_what_is_given_is_taken(fast):
    assert precision_of(planned(precision=FULL)) == (FULL, "as given")


def test_the_precision_is_recorded_in_the_run_and_in_its_rows_and_kept(tmp_path, fast, monkeypatch, capsys):
    recipe = tiny_change("MLPGAN")
    monkeypatch.setattr(
        precision, "SHOWN", {("MLPGAN", "mnist", MLPGAN.defaults.merged(recipe).digest): "a small MLPGAN"}
    )
    gan.fit(
        **{"model": "MLPGAN", "recipe": recipe, "data": {"source": "embedded"}, "run": tmp_path / "run"},
        trainer={"max_steps": 2, "precision": "auto", "accelerator": "cpu", "enable_progress_bar": False},
        **{"evaluation": {"every_n_steps": 2, "num_samples": 50}, "image_grid": {"every_n_steps": 0}},
    )
    assert "precision bf16-mixed (auto: it costs a small MLPGAN nothing)" in capsys.readouterr().err
    run = Run(tmp_path / "run")
    assert run.config["trainer"]["precision"] == FAST == run.report["training_precision"]
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: False)  # on another machine
    gan.resume(run.directory, trainer={"max_steps": 3})
    assert Run(tmp_path / "run").provenance[-1]["precision"] == FAST


def test_a_row_says_what_was_trained_and_what_differs_from_the_class(tmp_path):
    gan.fit(
        **{"model": "MLPGAN", "recipe": tiny_change("MLPGAN") | {"prior": "uniform"}, "run": tmp_path / "run"},
        trainer={"max_steps": 1, "accelerator": "cpu", "enable_progress_bar": False, "logger": "csv"},
        **{"evaluation": {"every_n_steps": 1, "num_samples": 50}, "image_grid": {"every_n_steps": 0}},
        data={"source": "embedded"},
    )
    run = Run(tmp_path / "run")
    for row in run.rows:
        assert (row["variant"], row["recipe"]) == ("MLPGAN", Recipe.from_dict(run.recipe).digest)
        assert row["differs"]["prior.name"] == "uniform"
        assert "loss.name" not in row["differs"]
    (logged,) = tmp_path.rglob("hparams.yaml")
    assert f"digest: {run.rows[0]['recipe']}" in logged.read_text()
