"""docs/reading_runs.md: its pictures, commands, flags, tags and closed forms are there, and its script draws a run."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import reading_runs
import torch
from PIL import Image
from run_support import fit, images, resolved, scalars
from run_support import real_statistics_once as real_statistics_once

from gan.parts.losses import LOSSES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "reading_runs.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^##+ ([^\n]+)\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S))
COMMANDS = re.findall(r"(?:(?<=^    )|(?<=`))gan fit ((?:[^\n`]|(?<=\\)\n)+)", TEXT, re.M)
# Flags of each table of remedies, with the command that its header names.
REMEDIES = [
    (next(iter(re.findall("`gan fit (.+?)`", table)), "--model DCGAN"), flags)
    for table in re.findall(r"(?:^\|.*\n)+", PARTS["What to try"], re.M)
    for flags in re.findall(r"`('?--model[^`]+)`", table)
]
EVALUATED = ("--evaluation.every_n_steps=3", "--evaluation.num_samples=40", "--scalars.every_n_steps=2")


@pytest.fixture(scope="module")
def unstable(tmp_path_factory) -> Path:
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
    file = tmp_path_factory.mktemp("config") / "unstable.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    """A run with momentum, and one of a conditional generator with averaged weights."""
    directory = tmp_path_factory.mktemp("runs")
    words = (*EVALUATED, "--image_grid.every_n_steps=2")
    plain = fit(directory / "plain", *words)
    averaged = fit(directory / "ema", *words, "--model.recipe.ema_decay=0.5", variant="ConditionalGAN")
    return [plain, averaged]


def composed(words: list[str], unstable: Path) -> dict:
    words = [str(unstable) if word == "unstable.yaml" else word for word in words]
    return resolved(*words)["model"]["init_args"]["recipe"]


def rows(part: str) -> list[list[str]]:
    """The rows of the first table of a section, without its header."""
    lines = [line for line in PARTS[part].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_pictures_are_there_small_and_of_few_colours():
    named = {ROOT / "docs" / name for name in re.findall(r"!\[\w+\]\((.+?)\)", TEXT)}
    assert len(named) == 4
    assert named == set((ROOT / "docs" / "reading_runs").iterdir())
    assert sum(picture.stat().st_size for picture in named) < 400_000
    for picture in named:
        with Image.open(picture) as image:
            assert image.mode in ("P", "L")


def test_every_link_leads_to_a_file():
    for link in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (ROOT / "docs" / link).exists(), link


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_composes_to_a_valid_recipe(command, unstable):
    composed(shlex.split(command.replace("\\\n", " ")), unstable)


def test_the_commands_and_flags_were_found():
    assert len(COMMANDS) == TEXT.count("gan fit --config") + 1  # and that of the table's variant, --model DCGAN
    recipe_flags = sum(words.count("--model.recipe.") for words in [*COMMANDS, *(flags for _, flags in REMEDIES)])
    assert recipe_flags == TEXT.count("--model.recipe.") > 20


@pytest.mark.parametrize(("base", "flags"), REMEDIES)
def test_each_flag_of_a_remedy_changes_the_recipe(base, flags, unstable):
    before = composed(shlex.split(base), unstable)
    for flag in shlex.split(flags):
        assert composed([*shlex.split(base), flag], unstable) != before, flag


def test_the_tags_are_those_that_runs_write(runs):
    table = {tag for row in rows("The curves") for tag in re.findall(r"`([^`]+)`", row[0])}
    written = {tag for run in runs for tag in scalars(run)}
    prefixes = {tag.split("/")[0] for tag in written if tag.startswith("metric_")}
    assert {tag.removesuffix("/…") for tag in table if tag.endswith("/…")} == prefixes
    assert len(prefixes) == 3
    assert {tag for tag in table if not tag.endswith("/…")} == {re.sub(r"^metric_\w+/", "metric/", t) for t in written}
    pictures = {tag for run in runs for tag in images(run)}
    assert pictures == set(re.findall(r"`(samples/\w+)`", TEXT))


def test_the_losses_where_d_cannot_tell():
    table = {row[0].strip("`"): row[1] for row in rows("Which curves mean nothing under which loss")}
    assert set(table) == set(LOSSES)
    for name, values in table.items():
        loss = LOSSES[name]()
        logits = torch.full((4, 1), loss.boundary or 0.0, dtype=torch.float64)
        expected = [float(value) for value in values.split(", ")]
        actual = [float(loss.discriminator(logits, logits)), float(loss.generator(logits, logits))]
        assert actual == pytest.approx(expected, abs=5e-4), name


def test_the_least_loss_under_label_smoothing():
    logits = torch.linspace(-20, 20, 4001, dtype=torch.float64)
    loss = LOSSES["non_saturating"](real_label=0.9)
    least = min(float(loss.discriminator(x, torch.tensor(-50.0, dtype=torch.float64))) for x in logits)
    assert least == pytest.approx(0.325, abs=5e-4)
    assert "below 0.325" in TEXT


@pytest.mark.parametrize("run", [0, 1])
def test_the_script_draws_and_prints_a_run(run, runs, tmp_path, monkeypatch, capsys):
    out = tmp_path / "picture.png"
    words = [str(runs[run]), "--steps", "2", "4", "6", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["reading_runs.py", *words])
    reading_runs.main()
    with Image.open(out) as picture:
        assert picture.mode == "P"
        assert len(picture.convert("RGB").getcolors()) > 8
    printed = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    curves = scalars(runs[run])
    column = printed[0].index("loss/discriminator")
    assert [row[0] for row in printed[2:5]] == ["1 to 2", "3 to 4", "5 to 6"]
    for row, step in zip(printed[2:5], (2, 4, 6), strict=True):
        assert float(row[column]) == pytest.approx(curves["loss/discriminator"][step], rel=6e-3)
    assert [row[0] for row in printed if len(row) == 8][2:] == ["3", "6", "6"]
    tag = "metric_ema" if run else "metric"
    fid = next(row for row in printed if len(row) == 8 and row[0] == "6")[2]
    assert float(fid) == pytest.approx(curves[f"{tag}/fid"][6], abs=0.006)


def test_what_is_no_run_and_a_run_without_grids_are_refused(runs, tmp_path, monkeypatch, capsys):
    shutil.copytree(runs[0], tmp_path / "run", ignore=shutil.ignore_patterns("samples"))
    for directory, says in ((tmp_path, "not a run"), (tmp_path / "run", "image_grid.every_n_steps")):
        monkeypatch.setattr(sys, "argv", ["reading_runs.py", str(directory)])
        with pytest.raises(SystemExit):
            reading_runs.main()
        assert says in capsys.readouterr().err


def test_a_stretch_is_the_mean_of_its_own_points():
    tags = [tag for panel in reading_runs.TRAINING.values() for tag in panel]
    curves = {tag: {1: 1.0, 2: 3.0, 3: 5.0, 4: 100.0} for tag in tags}
    lines = reading_runs.stretches(curves, [0, 2, 4]).splitlines()
    first, second = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:])
    assert first == ["1 to 2", *["2"] * 8, "1.00, 3.00"]
    assert second == ["3 to 4", *["52.5"] * 8, "5.00, 100.00"]
    thin = reading_runs.thinned({step: float(step) for step in range(1, 1001)})
    assert len(thin) <= reading_runs.POINTS
    assert next(iter(thin.items())) == (3, 2.0)
    assert reading_runs.thinned({}) == {}
