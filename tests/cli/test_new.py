"""`gan new`: what it writes is trained, tested and linted as a user does it; what it refuses leaves no file."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import prepared
import pytest
from run_support import QUIET, checkpoint, ended, error_line, gan, process, spawn

from gan.base.errors import UserError
from gan.cli.page import write_page

ROOT = Path(__file__).parents[2]
LONGEST = "LongestNameThatOneMayGiveToAMethodOfOnes"


def pytest_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """pytest as the user runs it there, with none of this session's settings: its exit code and what it says."""
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    code = "import pytest, sys\nsys.exit(pytest.main(sys.argv[1:]))"
    return ended(spawn(prepared.command(code, "pytest", "-q", "-p", "no:cacheprovider", *words), cwd=folder))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_writes_a_page_that_trains(folder, capsys):
    assert gan("new", "MyGAN") == 0
    said = capsys.readouterr().out
    for words in ("gan fit --config my_gan.yaml\n", "pytest test_my_gan.py\n", "--allow-import my_gan"):
        assert words in said
    assert sorted(path.name for path in folder.iterdir()) == ["my_gan.py", "my_gan.yaml", "test_my_gan.py"]

    small = ("--data.source=embedded", "--model.recipe.batch_size=16", "--trainer.max_steps=2")
    code, _, err = process("fit", "--config", "my_gan.yaml", *QUIET, *small, cwd=folder)
    assert code == 0, err
    content = checkpoint(folder / "runs" / "my_gan" / "MyGAN" / "seed_1")
    assert content["adversarial"]["variant"] == "my_gan.MyGAN"
    assert content["hyper_parameters"]["recipe"]["loss"] == {"name": "my_gan.my_loss", "margin": 1.0}


@pytest.mark.slow
def test_its_test_passes_and_finds_a_generator_that_does_not_learn(folder, monkeypatch):
    assert gan("new", "MyGAN") == gan("new", "Broken") == 0
    page = (folder / "broken.py").read_text()
    broken = page.replace("return -fake_logits.mean()", "return 0 * fake_logits.mean()")
    assert broken != page
    (folder / "broken.py").write_text(broken)
    status, said, err = pytest_in(folder, monkeypatch, "test_my_gan.py", "test_broken.py")
    assert status == 1
    assert "1 failed, 1 passed" in said, said + err
    assert "FAILED test_broken.py" in said
    assert "the generator does not learn" in said


@pytest.mark.parametrize("name", ["MyGAN", "X", LONGEST, "A1B2" * 10])
def test_what_it_writes_is_clean(folder, name):
    pytest.importorskip("ruff", reason="ruff is not installed: pip install -e '.[dev]'")
    with (ROOT / "pyproject.toml").open("rb") as file:
        rules = ",".join(tomllib.load(file)["tool"]["ruff"]["lint"]["select"])
    assert gan("new", name) == 0
    for command in (("check", "--select", rules), ("format", "--check")):
        words = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "--line-length=120", "."]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "module"),
    [("MyGAN", "my_gan"), ("WGAN2", "wgan2"), ("GANLoss", "gan_loss"), ("HeavyTailed", "heavy_tailed")],
)
def test_the_module_is_the_name_in_small_letters(tmp_path, name, module, capsys):
    assert gan("new", name, "--into", tmp_path) == 0
    assert {path.stem for path in tmp_path.iterdir()} == {module, f"test_{module}"}
    assert f"class {name}(" in (tmp_path / f"{module}.py").read_text()
    assert f"after cd {tmp_path}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("my_gan", "CamelCase"),
        ("myGAN", "CamelCase"),
        ("My-GAN", "CamelCase"),
        ("../MyGAN", "CamelCase"),
        ("2GAN", "CamelCase"),
        ("MyGÄN", "CamelCase"),
        ("MyGAN\n", "CamelCase"),
        ("", "CamelCase"),
        ("None", "CamelCase"),
        ("A" * 41, "at most 40"),
        ("Class", "could not be imported"),
        ("DCGAN", "a class of gan already"),
        ("Loss", "a class of gan already"),
        ("Gan", "would hide the library gan"),
        ("Torch", "would hide the library torch"),
        ("Queue", "would hide the library queue"),
    ],
)
def test_names_that_cannot_be_used_are_refused(folder, name, says, capsys):
    assert gan("new", name) == 2
    assert says in error_line(capsys.readouterr().err)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("there", ["my_gan.py", "my_gan.yaml", "test_my_gan.py", "my_gan"])
def test_nothing_is_overwritten_and_nothing_half_written(folder, there, capsys):
    (folder / there).write_text("mine")
    assert gan("new", "MyGAN") == 2
    assert f"{there}: is there already" in error_line(capsys.readouterr().err)
    assert [path.name for path in folder.iterdir()] == [there]
    assert (folder / there).read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_followed(folder, capsys):
    (folder / "test_my_gan.py").symlink_to(folder / "elsewhere.py")
    assert gan("new", "MyGAN") == 2
    assert "is there already" in error_line(capsys.readouterr().err)
    assert [path.name for path in folder.iterdir()] == ["test_my_gan.py"]


def test_files_that_cannot_all_be_written_are_taken_back(folder, monkeypatch):
    """The disk is full at the last of them."""
    opened = Path.open

    def full(path, *words, **settings):
        if path.name.startswith("test_"):
            raise OSError(28, "No space left on device")
        return opened(path, *words, **settings)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UserError, match="cannot be written"):
        write_page("MyGAN", folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "NAME"),
        (("MyGAN", "--into", "nowhere"), "nowhere: no such folder"),
        (("MyGAN", "--in=x"), "--in"),
        (("MyGAN", "Another"), "Another"),
    ],
)
def test_other_mistakes_are_one_line(folder, words, says, capsys):
    assert gan("new", *words) == 2
    assert says in error_line(capsys.readouterr().err)
    assert list(folder.iterdir()) == []


def test_it_explains_itself(capsys):
    assert gan("new", "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("usage: gan new")
    assert any("--into DIR" in line for line in lines)
    assert max(map(len, lines)) <= 100
