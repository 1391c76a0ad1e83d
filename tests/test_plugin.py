"""A user's own code, in a folder outside the package: trained, resumed and sampled by dotted path."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from runs import DATA, QUIET, checkpoint, error_line, gan, process, same_end

EXAMPLE = Path(__file__).parent / "plugin_example"
VARIANT = "--model=mylab.variants.HeavyTailedGAN"
CALLBACK = "--trainer.callbacks=[{class_path: mylab.callbacks.Greeting}]"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The user's folder with a run that a real process made in it, and an empty folder elsewhere."""
    home, elsewhere = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(EXAMPLE / "mylab", home / "mylab", ignore=shutil.ignore_patterns("__pycache__"))
    code, out, err = process("fit", VARIANT, *DATA, *QUIET, CALLBACK, "--trainer.max_steps=3", "--run=run", cwd=home)
    assert code == 0, err
    assert "hello from mylab at step 0" in out
    return home, elsewhere


def test_a_run_with_own_code_trains_and_says_where_the_code_is(folders):
    home, _ = folders
    config = yaml.safe_load((home / "run" / "config.yaml").read_text())
    assert config["pythonpath"] == str(home)
    assert config["model"]["class_path"] == "mylab.variants.HeavyTailedGAN"
    content = checkpoint(home / "run")
    recipe = content["hyper_parameters"]["recipe"]
    assert recipe["prior"] == {"name": "mylab.priors.student_t", "degrees": 5}
    assert content["adversarial"]["variant"] == "mylab.variants.HeavyTailedGAN"
    assert content["global_step"] == 3


@pytest.fixture
def stranger(folders, monkeypatch):
    """Somebody elsewhere, whose Python has not met the user's package yet; the run."""
    home, elsewhere = folders
    for name in [name for name in sys.modules if name.split(".")[0] == "mylab"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.chdir(elsewhere)
    yield home / "run"
    for name in [name for name in sys.modules if name.split(".")[0] == "mylab"]:
        del sys.modules[name]


def test_it_is_resumed_from_elsewhere_only_if_its_package_is_allowed(stranger, tmp_path, capsys):
    shutil.copytree(stranger, tmp_path / "run")
    assert gan("resume", tmp_path / "run", "--trainer.max_steps=5") == 2
    assert "--allow-import mylab" in error_line(capsys.readouterr().err)
    assert "mylab" not in sys.modules
    assert gan("resume", tmp_path / "run", "--trainer.max_steps=5", "--allow-import", "mylab") == 0
    assert "hello from mylab at step 3" in capsys.readouterr().out
    words = (f"--config={stranger / 'config.yaml'}", "--trainer.max_steps=5", f"--run={tmp_path / 'whole'}")
    assert gan("fit", *words) == 0
    same_end(tmp_path / "whole", tmp_path / "run")


def test_it_is_sampled_from_elsewhere_only_if_its_package_is_allowed(stranger, tmp_path, capsys):
    words = ("sample", stranger, "--num=5", "--out", tmp_path / "a.npz")
    assert gan(*words) == 2
    assert "--allow-import mylab" in error_line(capsys.readouterr().err)
    assert "mylab" not in sys.modules
    assert gan(*words, "--allow-import=mylab") == 0
    with np.load(tmp_path / "a.npz") as file:
        assert file["images"].shape == (5, 28, 28)


def test_its_config_makes_the_same_run_from_elsewhere(stranger, tmp_path):
    assert gan("fit", f"--config={stranger / 'config.yaml'}", f"--run={tmp_path / 'again'}") == 0
    same_end(stranger, tmp_path / "again")


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--model.recipe.prior.degree=2", "did you mean 'degrees'"),
        ("--model.recipe.prior.degrees=two", "degrees must be int"),
        ("--model.recipe.prior=mylab.priors.student", "cannot import 'mylab.priors.student'"),
        ("--model.recipe.loss=mylab.nothing.loss", "cannot import 'mylab.nothing.loss'"),
        ("--model=mylab.priors.student_t", "not a variant"),
    ],
)
def test_mistakes_with_own_code_are_one_line_too(stranger, flag, says, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE)
    assert gan("fit", VARIANT, *DATA, *QUIET, "--trainer.max_steps=1", "--run=run", flag) == 2
    assert says in error_line(capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_own_prior_and_loss_are_what_trains(stranger, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE)
    from mylab.variants import HeavyTailedGAN
    from support import train

    torch.manual_seed(0)
    module = HeavyTailedGAN()
    assert module.loss.generator_reads_real
    before = {name: p.detach().clone() for name, p in module.generator.named_parameters()}
    train(module, 2)
    assert not any(torch.equal(before[name], p) for name, p in module.generator.named_parameters())
    latent = module.prior((2000, module.recipe.latent_dim), torch.Generator().manual_seed(0))
    assert 1.05 < float(latent.std()) < 1.6  # Student's t with 5 degrees: 1.29


def test_files_in_the_working_directory_hide_no_library_and_are_not_imported_for_somebody_s_run(folders, tmp_path):
    """`cd downloaded_run; gan sample .` must run none of its files."""
    home, _ = folders
    shutil.copytree(home / "run", tmp_path / "run")
    for name in ("textwrap", "statistics", "queue", "mylab"):
        (tmp_path / "run" / f"{name}.py").write_text(f"open({str(tmp_path / name)!r}, 'w')\n")
    code, _, err = process("sample", ".", "--out", "a.png", cwd=tmp_path / "run")
    assert code == 2
    assert "--allow-import mylab" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
