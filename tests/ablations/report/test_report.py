"""`gan report` as a whole: its files, its words, its figures; of real runs; of a thousand runs."""

import csv
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from run_support import DATA, fit, gan
from run_support import real_statistics_once as real_statistics_once
from test_study import ARMS, manifest, read
from written_runs import written_arms, written_run

from gan.ablations.report.curves import score_curves
from gan.ablations.report.samples import sample_cells
from gan.ablations.report.summary import summary

FAST = {"generator_optimizer": {"lr": 0.1}}
SCORES = {"normal": [9.0, 10.0, 12.0], "uniform": [7.0, 8.5, 9.0], "fast": [30.0, math.inf, 41.0]}
FILES = {f"{figure}.{kind}" for figure in ("scores", "curves", "samples") for kind in ("svg", "pdf")}
FILES |= {"report.md", "report.html", "table.csv", "table.tex"}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """The report of a sweep that is not finished."""
    arms = {"normal": {}, "uniform": {"prior": "uniform"}, "fast": {"generator_optimizer.lr": 0.1}}
    place = manifest(tmp_path_factory.mktemp("runs") / "priors", arms=arms, claim="C9", source="Radford et al., 2016")
    written_arms(place, ARMS | {"fast": FAST}, SCORES)
    (place / "fast" / "seed_1" / "provenance.json").write_text('[{"repositories": [1], "versions": "x<y"}]')
    (place / "uniform" / "seed_1" / "samples" / "step_0000300.png").write_bytes(b"no picture")
    assert gan("report", place, "--latex") == 0
    return place / "report"


def test_it_writes_pages_a_table_and_figures(report):
    assert {file.name for file in report.iterdir()} == FILES
    assert (report / "curves.pdf").read_bytes()[:4] == b"%PDF"
    with (report / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["arm"] for row in rows] == ["normal", "uniform", "fast"]
    assert rows[2]["scores"] == "30.0 failed 41.0"


def test_the_page_says_question_claim_arms_failures_and_how_it_is_made_anew(report):
    text = (report / "report.md").read_text()
    html = (report / "report.html").read_text()
    for words in (
        *("# priors: Does the prior matter?", "Claim: C9", "Source: Radford et al., 2016"),
        *("9 of 9 runs in 3 arms have a score", "| uniform | prior | normal | uniform |"),
        *("| fast | 2 | diverged at 200 |", "| num_fake | 1000 |", f"gan report {report.parent} --latex"),
        *("geometric mean of the runs that did not fail", "alike (ratio 0.667 to 1.50)"),
    ):
        assert words in text
        assert words.strip("#| ").split(" | ")[0] in html
    assert html.count("<svg") == 3
    assert not re.search(r'(src|href)="(?!#|data:)', html)
    assert 'xlink:href="data:image/png' in html


@pytest.mark.slow
def test_figures_are_the_same_bytes_when_they_are_made_anew(report, tmp_path):
    figures = {name: (report / name).read_bytes() for name in ("curves.svg", "scores.pdf", "samples.svg")}
    assert gan("report", report.parent, f"--out={tmp_path / 'again'}") == 0
    assert {name: (tmp_path / "again" / name).read_bytes() for name in figures} == figures


def test_the_runs_whose_samples_are_shown(tmp_path):
    scores = [*map(float, range(20, 27)), math.inf, math.inf, math.inf]
    cells = sample_cells(read(written_arms(tmp_path / "runs", {"a": {}}, {"a": scores})).groups["all runs"])
    assert [(cell.title, cell.failed) for cell in cells] == [
        *(("seed 1: 20.0, best", False), ("seed 4: 23.0, median", False), ("seed 7: 26.0, worst", False)),
        *(("seed 8: diverged at 200", True), ("seed 9: diverged at 200", True)),
    ]
    pictures = np.stack([np.asarray(cell.picture) for cell in cells])
    assert pictures.shape == (5, 62, 152, 3)  # five columns and two rows of 28 x 28, two pixels apart
    assert (pictures[0, 2, 2, 0], pictures[0, 32, 2, 0], pictures[0, 32, 122, 0]) == (200, 150, 130)  # tiles 1, 11, 15
    few = sample_cells(read(written_run(tmp_path / "few" / "seed_1", state="stopped")).groups["all runs"])
    assert [cell.title for cell in few] == ["seed 1: stopped at 300"]


@pytest.mark.slow
def test_real_runs_without_a_manifest(tmp_path):
    words = ("--evaluation.every_n_steps=3", "--evaluation.num_samples=40", "--image_grid.every_n_steps=3", *DATA)
    for seed in (1, 2):
        fit(tmp_path / "runs" / f"seed_{seed}", *words, f"--seed_everything={seed}")
    found = read(tmp_path / "runs")
    (line,) = summary(found)
    assert len(line.group.scores) == line.typical.n == 2
    curves = score_curves(found, "images")
    assert list(curves.bands["all runs"].x) == [3 * 8, 6 * 8]
    assert curves.floor > 0
    assert [cell.picture.size for cell in sample_cells(line.group)] == [(152, 62)] * 2


def test_the_page_of_the_documentation_names_what_there_is(capsys):
    docs = Path(__file__).parents[3] / "docs"
    text = (docs / "reports.md").read_text(encoding="utf-8")
    assert gan("report", "--help") == 0
    known = capsys.readouterr().out
    for flag in re.findall(r"`(--\w+)", text):
        assert flag in known or flag == "--logdir"
    for place in re.findall(r"\]\(([\w./]+)", text):
        assert (docs / place).is_file()
    for page in ("reports/report.png", "reports/custom_scalars.png", "reports/hparams.png"):
        assert page in text


@pytest.mark.slow
def test_a_thousand_runs_take_ten_seconds_and_a_gigabyte(tmp_path):
    draw = np.random.default_rng(0)
    for arm in range(100):
        for seed in range(10):
            score = 10 * math.exp(0.3 * draw.standard_normal())
            fids = [score * (1 + 20 / step) for step in range(1, 21)]
            recipe = {"generator_optimizer": {"lr": 0.001 * (arm + 1)}, **{f"field_{n}": n for n in range(60)}}
            written_run(tmp_path / "runs" / f"draw_{arm:03d}" / f"seed_{seed}", fids, seed=seed, recipe=recipe)
    words = [sys.executable, "-m", "gan", "report", str(tmp_path / "runs")]
    _, code, used = os.wait4(subprocess.Popen(words).pid, 0)
    assert code == 0
    assert used.ru_utime + used.ru_stime < 10  # of the processor: other work on the machine does not count
    assert used.ru_maxrss < 1e6  # kB
    assert (tmp_path / "runs" / "report" / "report.html").stat().st_size > 1e5
