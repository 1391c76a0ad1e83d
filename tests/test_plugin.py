"""A user's own code, in a folder outside the package: trained, resumed and sampled by dotted path."""

import functools
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from run_support import DATA, QUIET, checkpoint, ended, error_line, gan, process, same_end, scalars, start
from support import train, weights

import gan as package
from gan.parts.losses import LOSSES
from gan.parts.priors import interpolate
from gan.runs.reader import read_run

EXAMPLE = Path(__file__).parent / "plugin_example"
VARIANT = "--model=mylab.variants.HeavyTailedGAN"
MEASURE = (
    "--evaluation.measures={mylab.measures.spread: {images: 8}}",
    "--evaluation.every_n_steps=1",
    "--evaluation.num_samples=8",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The user's folder with a run that a real process made in it, and an empty folder elsewhere."""
    home, elsewhere = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(EXAMPLE / "mylab", home / "mylab", ignore=shutil.ignore_patterns("__pycache__"))
    code, _, err = process("fit", VARIANT, *DATA, *QUIET, *MEASURE, "--trainer.max_steps=3", "--run=run", cwd=home)
    assert code == 0, err
    return home, elsewhere


def test_a_run_with_own_code_trains_and_says_where_the_code_is(folders):
    home, _ = folders
    run = read_run(home / "run")
    assert run.config["pythonpath"] == str(home)
    assert run.config["model"]["class_path"] == "mylab.variants.HeavyTailedGAN"
    content = checkpoint(home / "run")
    recipe = content["hyper_parameters"]["recipe"]
    assert recipe["prior"] == {"name": "mylab.priors.student_t", "degrees": 5}
    assert content["adversarial"]["variant"] == "mylab.variants.HeavyTailedGAN"
    assert content["global_step"] == 3
    assert scalars(home / "run")["metric/spread"].keys() == {1, 2, 3}


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
    config = (f"--config={stranger / 'config.yaml'}", "--allow-import=mylab")
    words = (*config, "--trainer.max_steps=5", f"--run={tmp_path / 'whole'}")
    assert gan("fit", *words) == 0
    same_end(tmp_path / "whole", tmp_path / "run")
    measured = [scalars(tmp_path / run)["metric/spread"] for run in ("whole", "run")]
    assert measured[0] == measured[1]  # the metric's samples too
    assert measured[0].keys() == {1, 2, 3, 4, 5}


def test_it_is_sampled_from_elsewhere_only_if_its_package_is_allowed(stranger, tmp_path, capsys):
    words = ("sample", stranger, "--num=5", "--out", tmp_path / "a.npz")
    assert gan(*words) == 2
    assert "--allow-import mylab" in error_line(capsys.readouterr().err)
    assert "mylab" not in sys.modules
    path = list(sys.path)
    assert package.load(stranger, ["mylab"]).sample(2).shape == (2, 1, 28, 28)
    assert sys.path == path
    assert gan(*words, "--allow-import=mylab") == 0
    with np.load(tmp_path / "a.npz") as file:
        assert file["images"].shape == (5, 28, 28)


def test_its_config_makes_the_same_run_from_elsewhere_only_if_its_package_is_allowed(stranger, tmp_path, capsys):
    words = ("fit", f"--config={stranger / 'config.yaml'}", f"--run={tmp_path / 'again'}")
    assert gan(*words) == 2
    assert "--allow-import mylab" in error_line(capsys.readouterr().err)
    assert "mylab" not in sys.modules
    assert gan(*words, "--allow-import=mylab") == 0
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


def test_own_parts_are_what_trains(stranger, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE)
    from mylab.networks import Discriminator, Generator
    from mylab.variants import HeavyTailedGAN

    torch.manual_seed(0)
    module = HeavyTailedGAN()
    assert isinstance(module.generator, Generator)
    assert isinstance(module.discriminator, Discriminator)
    assert float(module.loss.generator(torch.zeros(3, 1), torch.zeros(3, 1))) == pytest.approx(2 - 2**0.5)
    before = weights(module)
    train(module, 2)
    moved = {name for name, tensor in weights(module).items() if not torch.equal(before[name], tensor)}
    assert moved == {name for name, _ in module.named_parameters()}
    latent = module.prior((2000, module.recipe.latent_dim), torch.Generator().manual_seed(0))
    assert 1.25 < float(latent.std()) < 1.33  # Student's t with 5 degrees: sqrt(5 / 3) = 1.29


# The example's own mathematics ----------------------------------------------------------------------------------------


@pytest.fixture
def example(stranger, monkeypatch):
    """The example's modules can be imported, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(EXAMPLE)


def test_the_alpha_loss_has_its_known_cases(example):
    """α = 1 is the cross-entropy, α = inf the soft error 1 - p (Sypherd et al., 2022)."""
    from mylab.losses import alpha_loss

    real, fake = torch.linspace(-4, 4, 9, dtype=torch.float64)[:, None], torch.linspace(3, -5, 9, dtype=torch.float64)
    theirs = LOSSES["non_saturating"]()
    for loss, rtol in ((alpha_loss(alpha=1.0), 1e-12), (alpha_loss(alpha=1 + 1e-9), 1e-7)):
        torch.testing.assert_close(loss.discriminator(real, fake), theirs.discriminator(real, fake), rtol=rtol, atol=0)
        torch.testing.assert_close(loss.generator(real, fake), theirs.generator(real, fake), rtol=rtol, atol=0)
    for alpha in (1.5, 4.0):
        p = torch.sigmoid(real)
        expected = (alpha / (alpha - 1) * (1 - p ** ((alpha - 1) / alpha))).mean()
        torch.testing.assert_close(alpha_loss(alpha=alpha).halves[0](real), expected)
    soft = alpha_loss(alpha=float("inf"))
    expected = (1 - torch.sigmoid(real)).mean() + torch.sigmoid(fake).mean()
    torch.testing.assert_close(soft.discriminator(real, fake), expected)
    with pytest.raises(ValueError, match="alpha must be at least 1"):
        alpha_loss(alpha=0.5)


@pytest.mark.parametrize(("length", "penalty"), [(0.5, 0.0), (1.0, 0.0), (3.0, 4.0)])
def test_the_one_sided_penalty_of_a_linear_critic(example, length, penalty):
    """max(0, |w| - 1)² wherever it is taken."""
    from mylab.penalties import one_sided

    torch.manual_seed(0)
    critic = torch.nn.Linear(12, 1).double()
    with torch.no_grad():
        critic.weight.mul_(length / critic.weight.norm())
    real, fake = torch.rand(2, 5, 3, 2, 2, dtype=torch.float64)
    noise = torch.Generator().manual_seed(0)
    value = one_sided(lambda images, labels: critic(images.flatten(1)), real, fake, None, noise, 0)
    assert float(value.detach()) == pytest.approx(penalty, abs=1e-12)
    assert not torch.equal(noise.get_state(), torch.Generator().manual_seed(0).get_state())


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_interpolated_student_latents_are_student(example, t):
    from mylab.priors import student_t
    from scipy import stats

    prior, noise = functools.partial(student_t, degrees=3), torch.Generator().manual_seed(1)
    start, end = prior((400, 50), noise), prior((400, 50), noise)
    between = interpolate(prior, start, end, t).flatten().numpy()
    assert stats.kstest(between, stats.t(3).cdf).pvalue > 0.01
    assert stats.kstest(torch.lerp(start, end, t).flatten().numpy(), stats.t(3).cdf).pvalue < 1e-6


def test_lecun_s_outputs_keep_the_variance_of_the_inputs(example):
    from mylab.inits import lecun_uniform

    torch.manual_seed(0)
    layer = torch.nn.Conv2d(16, 64, 3, bias=False)
    lecun_uniform(layer.weight)
    assert float(layer.weight.detach().abs().max()) <= (3 / 144) ** 0.5
    assert float(layer(torch.randn(50, 16, 9, 9)).detach().var()) == pytest.approx(1, rel=0.03)
    with pytest.raises(ValueError, match="for weights"):
        lecun_uniform(torch.zeros(3))


def test_minibatch_discrimination_pair_by_pair(example):
    from mylab.networks import MinibatchDiscrimination

    torch.manual_seed(0)
    layer, features = MinibatchDiscrimination(6, kernels=3, dims=2).double(), torch.randn(4, 6, dtype=torch.float64)
    rows = (features @ layer.project.weight.detach().T).view(4, 3, 2)
    expected = torch.tensor(
        [
            [sum(float(torch.exp(-(rows[i, b] - rows[j, b]).abs().sum())) for j in range(4)) for b in range(3)]
            for i in range(4)
        ]
    )
    torch.testing.assert_close(layer(features), torch.cat([features, expected.double()], dim=1), rtol=1e-6, atol=0)


def test_shapes_are_what_their_labels_say(example):
    """Discs fill π/4 of their bounding box, squares all of it, crosses less."""
    from mylab.data import Shapes

    first, again = (Shapes(count=60).load(Path(), "auto", "drawn") for _ in range(2))
    assert first.provenance == again.provenance
    assert first.counts == {"train": 60, "held_out": 6, "test": 6}
    filled = {0: [], 1: [], 2: []}
    for image, label in zip(first.train.images[:, 0] > 0, first.train.labels.tolist(), strict=True):
        ink = image.nonzero()
        filled[label].append(len(ink) / float((ink.max(0).values - ink.min(0).values + 1).prod()))
    disc, square, cross = (sum(shares) / len(shares) for shares in filled.values())
    assert square == 1
    assert disc == pytest.approx(0.785, abs=0.08)
    assert cross < 0.65


def test_files_in_the_working_directory_hide_no_library_and_are_not_imported_for_somebody_s_run(folders, tmp_path):
    """`cd downloaded_run; gan sample .` must run none of its files."""
    home, _ = folders
    shutil.copytree(home / "run", tmp_path / "run")
    for name in ("textwrap", "statistics", "queue", "mylab"):
        (tmp_path / "run" / f"{name}.py").write_text(f"open({str(tmp_path / name)!r}, 'w')\n")
    code, _, err = ended(start("sample", ".", "--out", "a.png", cwd=tmp_path / "run"))
    assert code == 2
    assert "--allow-import mylab" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
