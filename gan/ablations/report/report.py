"""`gan report`: what many runs say, as a page, tables and figures."""

import csv
import io
import math
import re
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from gan.ablations.design import Manifest
from gan.ablations.report.blocks import Picture, Table, Text, latex, write
from gan.ablations.report.contents import contents, score_words, table_of
from gan.ablations.report.curves import AXES, Curves, scalar_curves, score_curves
from gan.ablations.report.study import Study, opened, study
from gan.ablations.report.summary import Line, records, summary
from gan.base.disk import writing
from gan.base.errors import UserError, usable
from gan.base.paths import absolute
from gan.runs.directory import write_text

FOLDER, MEANS = "report", "means"


def report(
    paths: Sequence[str | Path],
    by: Sequence[str] = (),
    baseline: str | None = None,
    against: str = "images",
    curves: Sequence[str] = (),
    out: str | Path | None = None,
    latex: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Write the report of runs, and return the directory that it is in.

    Args:
        paths: sweeps, other directories with runs, or bundles.
        by: keys whose values make the arms; by default a manifest's arms, or whatever differs among the runs.
        baseline: the arm that the others are compared with; by default the manifest's, or the first one.
        against: the axis of the curves: `images`, `steps` or `seconds`.
        curves: tags of the event files whose curves are drawn, too, such as `loss/generator`.
        out: the directory to write to; by default `report` in the first of the paths, or here for a bundle.
        latex: whether the table is written as LaTeX, too.
        tensorboard: whether means and bands are written for TensorBoard, too.
    """
    if against not in AXES:
        raise UserError(f"--against must be one of {', '.join(AXES)}, got {against!r}")
    first = absolute(paths[0], "RUNS")
    place = absolute(out, "--out") if out else (first if first.is_dir() else Path.cwd()) / FOLDER
    bundled = any(absolute(path, "RUNS").is_file() for path in paths)
    strange = usable(", ".join(map(str, paths))) if bundled else nullcontext()
    with strange, opened(paths) as sources:
        found = study(sources, by, baseline)
        lines = summary(found)
        with writing(place):
            place.mkdir(parents=True, exist_ok=True)
        given: dict[str, object] = {
            "by": ",".join(by),
            "baseline": baseline,
            "against": against if against != "images" else None,
        }
        given |= {"out": out, "latex": latex, "tensorboard": tensorboard}
        command = _command(paths, given, curves)
        tags = dict.fromkeys([*_scored_tag(found.manifest), *curves])
        drawn = [score_curves(found, against), *scalar_curves(found.groups, list(tags), against).values()]
        table = table_of(found, lines)
        write(contents(found, lines, table, _pictures(found, lines, drawn, against, place), command), place)
        _write_csv(records(lines, found), place / "table.csv")
        if latex:
            _write_latex(table, place / "table.tex")
        if tensorboard:
            from gan.ablations.report.derived import write_derived_runs  # it imports torch

            write_derived_runs(found, lines, command, place / MEANS)
    return place


def _command(paths: Sequence[str | Path], given: dict[str, object], curves: Sequence[str]) -> str:
    """Return the command that makes the report anew."""
    flags = [f"--{name}" if value is True else f"--{name}={value}" for name, value in given.items() if value]
    return shlex.join(["gan", "report", *map(str, paths), *flags, *(f"--curves={tag}" for tag in curves)])


def _scored_tag(manifest: Manifest) -> list[str]:
    """Return the tag that the score is taken from, if it is one of the event files."""
    return [manifest.score["scalar"]] if isinstance(manifest.score, dict) and "scalar" in manifest.score else []


def _pictures(
    found: Study, lines: Sequence[Line], drawn: Sequence[Curves], against: str, place: Path
) -> list[Picture | Text]:
    """Draw the figures, and return them with their captions."""
    from gan.ablations.report.figures import MOST_ARMS, curves_figure, scores_figure
    from gan.ablations.report.samples import MOST_SEEDS, samples_figure

    pictures: list[Picture | Text] = []

    def add(name: str, svg: str | None, caption: str) -> None:
        if svg:
            pictures.append(Picture(name, svg, caption))

    shown, left_out = list(lines), ""
    if len(lines) > MOST_ARMS:
        shown.sort(
            key=lambda line: (line.group.name != found.baseline, line.typical.value if line.typical else math.inf)
        )
        shown, left_out = shown[:MOST_ARMS], f" Of {len(lines)} arms the best {MOST_ARMS} are shown."
    groups = {line.group.name: line.group for line in shown}
    caption = (
        "Scores of single runs (circles), their geometric mean with its 95 % interval, and the ratio to the baseline."
    )
    add(
        "scores",
        scores_figure(shown, score_words(found), found.baseline, place / "scores"),
        caption + left_out,
    )
    for number, curves in enumerate(drawn):
        name = "curves" if number == 0 else "curves_" + re.sub(r"[^\w.-]+", "_", curves.label)
        mean = "mean of the logarithms" if curves.logarithmic else "mean"
        caption = (
            f"{curves.label} against {AXES[against]}: {mean} of the runs that did not fail (their number in brackets), "
            "as far as all of them have come, with its 95 % t interval, which may leave the frame. Thin lines are "
            "single runs, and a cross is the end of one that failed."
        )
        svg = curves_figure(curves, against, found.baseline, list(groups), place / name)
        add(name, svg, caption + left_out)
        if svg is None:
            pictures.append(Text(f"No curve of {curves.label} against {AXES[against]}: no run has recorded both."))
    caption = (
        "Samples of the newest grid of each run, of the same noise where priors and latent dimensions are equal. "
        f"Failed runs are framed. Of an arm with more than {MOST_SEEDS} runs the best, the median, the worst and two "
        "failed ones are shown."
    )
    add("samples", samples_figure(groups, place / "samples"), caption + left_out)
    return pictures


def _write_csv(rows: Sequence[dict[str, object]], file: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(file, text.getvalue())


def _write_latex(table: Table, file: Path) -> None:
    write_text(file, latex(table))
