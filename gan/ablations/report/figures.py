"""Figures for a thesis: labelled axes, PDF and SVG, told apart without colour by line styles and markers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten, wrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from gan.ablations.report.curves import AXES, Curves
from gan.ablations.report.summary import Line
from gan.ablations.statistics import Interval
from gan.base.disk import replacing

STYLE: Any = {
    **{"font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 8, "legend.fontsize": 7, "axes.grid": True},
    **{"grid.linewidth": 0.3, "grid.color": "0.8", "axes.spines.top": False, "axes.spines.right": False},
    "text.parse_math": False,  # a dollar in an arm's name is a dollar
    **{"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "gan"},  # the same figure is the same file
}
WIDTH = 6.3  # inches: the text of an A4 page
BASELINE: Mapping[str, Any] = {"color": "#000000", "linestyle": "-", "marker": "o"}
# The colours of Okabe and Ito (2008), which colour-blind people tell apart, each with a line and a marker of its own.
LOOKS: Sequence[Mapping[str, Any]] = (
    {"color": "#0072B2", "linestyle": "--", "marker": "s"},
    {"color": "#D55E00", "linestyle": "-.", "marker": "^"},
    {"color": "#009E73", "linestyle": ":", "marker": "D"},
    {"color": "#CC79A7", "linestyle": (0, (5, 1)), "marker": "v"},
    {"color": "#E69F00", "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "P"},
    {"color": "#56B4E9", "linestyle": (0, (1, 2)), "marker": "X"},
)
MOST_ARMS = 13  # of a figure: two panels of six, with the baseline in both
MOST_SINGLE = 12  # runs of an arm that are drawn one by one


def curves_figure(curves: Curves, axis: str, baseline: str, arms: Sequence[str], out: Path) -> str | None:
    """Draw means with bands, six arms and the baseline to a panel, and return the SVG. None without a curve."""
    shown = [arm for arm in arms if any(curves.singles[arm].values())] if curves.singles else []
    others = [arm for arm in shown if arm != baseline]
    if not shown:
        return None
    chunks = [others[start : start + len(LOOKS)] for start in range(0, len(others), len(LOOKS))] or [[]]
    columns = min(2, len(chunks))
    rows = -(-len(chunks) // columns)
    with _styled(), _figure((WIDTH, (3.4 if columns > 1 else 4) * rows), out) as figure:
        axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
        for panel, chunk in zip(axes, chunks, strict=False):
            looks = {baseline: BASELINE} if baseline in shown else {}
            _panel(panel, curves, looks | dict(zip(chunk, LOOKS, strict=False)))
            panel.set(xlabel=AXES[axis], ylabel=curves.label + (" (log)" if curves.logarithmic else ""))
        axes[0].set_ylim(*_limits(curves, shown))
        for panel in axes[len(chunks) :]:
            panel.set_visible(False)
    return out.with_suffix(".svg").read_text(encoding="utf-8")


def _limits(curves: Curves, arms: Sequence[str]) -> tuple[float, float]:
    """Return limits of the y axis that all curves fit in. A band may be cut: that of two runs can be huge."""
    values = np.concatenate([curve.y for arm in arms for curve in curves.singles[arm].values()])
    low, high = values.min(), values.max()
    if curves.floor is not None:
        low = min(low, curves.floor)
    if curves.logarithmic:
        margin = (high / low) ** 0.05 * 1.05
        return low / margin, high * margin
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _panel(axes: Axes, curves: Curves, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw some arms: a thin line for a run, a cross at the end of one that failed, a line and a band for the mean."""
    for arm, look in looks.items():
        runs, band = curves.singles[arm], curves.bands.get(arm)
        drawn = [curve for curve in runs.values() if curve.failed or len(runs) <= MOST_SINGLE]
        thin = [np.column_stack([curve.x, curve.y]) for curve in drawn]
        axes.add_collection(LineCollection(thin, color=look["color"], linewidth=0.5, alpha=0.5))
        ends = [points[-1] for points, curve in zip(thin, drawn, strict=True) if curve.failed]
        if ends:
            axes.plot(*zip(*ends, strict=True), color=look["color"], marker="x", markersize=7, linestyle="none")
        if band:
            every = max(1, len(band.x) // 10)
            axes.plot(
                band.x,
                band.mean,
                label=f"{shorten(arm, 90, placeholder=' …')} ({band.runs})",
                **look,
                linewidth=1.4,
                markersize=4,
                markevery=every,
            )
            axes.fill_between(band.x, band.low, band.high, color=look["color"], alpha=0.15, linewidth=0)
        elif runs:
            axes.plot([], [], label=f"{shorten(arm, 90, placeholder=' …')} (0)", **look, linewidth=1.4, markersize=4)
    if curves.floor is not None:
        axes.axhline(curves.floor, color="0.4", linestyle=(0, (1, 1)), linewidth=1, label="floor: real images")
    if curves.logarithmic:
        _logarithmic(axes, "y")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), frameon=False, handlelength=3.5)


def scores_figure(lines: Sequence[Line], label: str, baseline: str, out: Path) -> str | None:
    """Draw each arm's scores beside its ratio to the baseline, and return the SVG. None without a score."""
    lines = [line for line in lines if line.typical is not None]
    if not lines:
        return None
    names = [_with_failures(line) for line in lines]
    height = 0.9 + sum(0.18 + 0.12 * (1 + name.count("\n")) for name in names)
    with _styled(), _figure((WIDTH, height), out) as figure:
        scores, ratios = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        dots = [
            (score, place) for place, line in enumerate(lines) for score in line.group.values if math.isfinite(score)
        ]
        scores.plot(*zip(*dots, strict=True), "o", color="0.45", markersize=3.5, fillstyle="none") if dots else None
        _intervals(scores, {place: line.typical for place, line in enumerate(lines) if line.typical})
        _intervals(ratios, {place: line.comparison.ratio for place, line in enumerate(lines) if line.comparison})
        ratios.axvline(1, color="0.3", linewidth=0.8)
        scores.set_yticks(range(len(lines)), names)
        scores.set_ylim(len(lines) - 0.4, -0.6)
        scores.set(xlabel=f"{label} (log)")
        ratios.set(xlabel="ratio to the baseline (log)")
        for axes in (scores, ratios):
            if any(len(line.get_xdata()) for line in axes.lines):
                _logarithmic(axes, "x")
    return out.with_suffix(".svg").read_text(encoding="utf-8")


def _short(name: str) -> str:
    return shorten(name, 90, placeholder=" …")


def _with_failures(line: Line) -> str:
    failed = sum(map(math.isinf, line.group.values))
    return wrapped(line.group.name) + (f"\n✕ {failed} of {len(line.group.values)} failed" if failed else "")


def wrapped(name: str) -> str:
    """Return an arm's name in lines that leave room for a plot. Of a very long one the middle is left out."""
    lines = wrap(name, 32)
    return "\n".join(lines if len(lines) <= 4 else [*lines[:2], "…", lines[-1]])


def _intervals(axes: Axes, intervals: Mapping[int, Interval]) -> None:
    """Draw estimates as diamonds and their intervals as bars, each at its place."""
    known = {place: one for place, one in intervals.items() if not math.isnan(one.value)}
    bounded = {place: one for place, one in known.items() if not math.isnan(one.low)}
    if known:
        low, high = [one.low for one in bounded.values()], [one.high for one in bounded.values()]
        axes.hlines(list(bounded), low, high, color="#0072B2", linewidth=1.6)
        axes.plot([one.value for one in known.values()], list(known), "D", color="#0072B2", markersize=4.5)


def _logarithmic(axes: Axes, which: str) -> None:
    """Make an axis logarithmic, with plain numbers at it."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())  # each tick costs time


@contextmanager
def _styled() -> Iterator[None]:
    with matplotlib.rc_context(STYLE):
        yield


@contextmanager
def _figure(size: tuple[float, float], out: Path) -> Iterator[Figure]:
    """Give a figure. At the exit it is written as PDF and SVG."""
    figure = Figure(figsize=size, layout="constrained")
    yield figure
    save(figure, out)


def save(figure: Figure, out: Path) -> None:
    """Write a figure as `out` with .pdf and .svg, the same bytes for the same figure."""
    dates: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    for suffix, metadata in dates.items():
        with replacing(out.with_suffix(suffix)) as part:
            figure.savefig(part, format=suffix[1:], metadata=metadata)
        figure.set_layout_engine("none")  # it is laid out once
