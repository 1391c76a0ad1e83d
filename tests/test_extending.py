"""docs/extending.md: its examples are the files of a package that is built, installed and run like a stranger's."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_support import checkpoint, processed, same_end, scalars

from gan.runs.reader import Run

TESTS = Path(__file__).parent
EXAMPLE = TESTS / "plugin_example"
PAGE = TESTS.parent / "docs" / "extending.md"
FILES = sorted(path for path in EXAMPLE.rglob("*.py") if path.name != "__init__.py")
FIT = (
    "fit",
    "--model=mylab.variants.HeavyTailedGAN",
    "--data.name=mylab.data.Shapes",
    "--data.count=200",
    "--evaluation.measures={mylab.measures.spread: {images: 20}}",
    "--evaluation.every_n_steps=2",
    "--evaluation.num_samples=20",
    "--image_grid.num_images=9",
)


def examples():
    """File -> the text of its fenced block, which follows the line that links to the file."""
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^([^\n]*)\n```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    found = {}
    for line, code in blocks:
        link = re.fullmatch(r"\[mylab/\w+\.py\]\((\.\./tests/plugin_example/mylab/\w+\.py)\):", line)
        assert link, f"a block whose preceding line names no file: {line!r}"
        found[(PAGE.parent / link[1]).resolve()] = code
    assert len(found) == len(blocks) == page.count("```") / 2
    return found


def test_the_page_shows_every_file_as_it_is():
    found = examples()
    assert sorted(found) == FILES
    for path, code in found.items():
        assert code == path.read_text(encoding="utf-8"), f"docs/extending.md: {path.name} differs"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_is_short_and_has_no_loop_of_its_own(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    defined = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    assert not defined & {"training_step", "optimizer_step", "configure_optimizers", "backward"}


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """How a user's process runs in an empty folder, with the package installed elsewhere; nothing is downloaded."""
    assert importlib.util.find_spec("hatchling"), "the tests' requirements are missing: pip install -e '.[test]'"
    target, home = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("home")
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(EXAMPLE)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert sorted(path.name for path in (target / "mylab").glob("*.py")) == sorted(
        path.name for path in [*FILES, EXAMPLE / "mylab" / "__init__.py"]
    )
    return {"cwd": home, "environment": {"PYTHONPATH": str(target)}}


@pytest.fixture(scope="module")
def runs(user):
    """A run of six steps, and one that was stopped after three, and resumed and sampled by another process."""
    fits = [(*FIT, f"--trainer.max_steps={steps}", f"--run={run}") for steps, run in ((6, "whole"), (3, "run"))]
    processed(*fits, **user)
    allowed = ("--allow-import", "mylab")
    sample = ("sample", "run", *allowed, "--interpolate", "--num=30", "--out=rows.png")
    processed(("resume", "run", *allowed, "--trainer.max_steps=6"), sample, **user)
    return user["cwd"] / "whole", user["cwd"] / "run"


def test_every_part_is_in_the_run(runs):
    content = checkpoint(runs[0])
    assert content["adversarial"]["variant"] == "mylab.variants.HeavyTailedGAN"
    assert content["hyper_parameters"]["image_shape"] == [1, 16, 16]
    assert content["ImageDataModule"]["name"] == "shapes"
    recipe = str(content["hyper_parameters"]["recipe"])
    for part in ("losses", "penalties", "priors", "inits", "networks"):
        assert f"mylab.{part}." in recipe
    assert scalars(runs[0])["metric/spread"].keys() == {2, 4, 6}


def test_its_measure_is_like_a_built_in_one(runs, user):
    """Rows with a protocol, the best checkpoint, `gan runs`, `gan evaluate` and `gan report`."""
    run = Run(runs[0])
    assert [(row["step"], row["role"]) for row in run.rows] == [
        *((step, "selection") for step in (2, 4, 6)),
        (6, "report"),
    ]
    for row in run.rows:
        assert (row["metric"], row["score"], row["better"]) == ("spread", "spread", 1.0)
        assert (row["metric_parameters"], row["extractor"], row["spread_floor"] > 0) == ({"images": 20}, "none", True)
    nearest = min(run.selection_rows, key=lambda row: abs(row["spread"] - 1))
    assert run.best == nearest
    assert list(run.saved("best")) == [nearest["step"]]
    allowed = ("--allow-import", "mylab")
    words = ("evaluate", "whole", *allowed, "--num=20", "--metrics=mylab.measures.spread", "--json=rows.json")
    processed(words, ("report", "whole", "run"), **user)
    row = json.loads((user["cwd"] / "rows.json").read_text())
    assert row["spread"] > 0
    page = (user["cwd"] / "whole" / "report" / "report.md").read_text()
    assert "|spread - 1.0| on test images at the end" in page.replace("\\", "")


def test_it_resumes_bit_for_bit(runs):
    same_end(*runs)
    assert scalars(runs[0])["metric/spread"] == scalars(runs[1])["metric/spread"]


def test_it_is_sampled(runs, user):
    with Image.open(user["cwd"] / "rows.png") as picture:
        assert picture.size == (10 * 18 + 2, 3 * 18 + 2)
        assert len(np.unique(np.asarray(picture))) > 10
