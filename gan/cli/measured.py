"""What `gan evaluate` prints: a table of values, each beside its floor."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from gan.cli.table import table
from gan.measure.direction import Better
from gan.runs.evaluate import Evaluated
from gan.runs.rows import title_of

NONE = "–"
MOST_CLASSES = 20  # whose shares are printed
COLUMNS = ("value", "score", "floor", "best", "protocol")


def lines(found: Sequence[Evaluated]) -> str:
    """Return the tables, with the images that each compares."""
    return "\n\n".join(map(_of_one, found))


def _of_one(one: Evaluated) -> str:
    row = one.rows[0]
    step = "" if row["step"] is None else f"step {row['step']:,}, "
    draws = len({row["noise_seed"] for row in one.rows})
    fakes = f"{row['num_fake']:,} {'images' if row['weights'] == 'given' else row['weights'] + ' fakes'}"
    against = f"{row['num_real']:,} {row['split']} images of {row['data_set']} ({row['source']})"
    head = f"{one.path}: {step}{fakes} against {against}" + (f", {draws} draws" if draws > 1 else "")
    return "\n".join([head, table([COLUMNS, *cells(one)]), *notes(one)])


def cells(one: Evaluated) -> list[tuple[str, ...]]:
    """Return a row of words for each value."""
    found: list[tuple[str, ...]] = []
    for chosen in one.measurement.measures:
        of_measure = [row for row in one.rows if row["metric"] == chosen.measure.name]
        if not of_measure:  # only the score was asked for
            continue
        for name, better in chosen.measure.values.items():
            floor = of_measure[0].get(f"{name}_floor")
            unit = chosen.measure.units.get(name)
            values = [row[name] for row in of_measure]
            score = spread(values) + (f" {unit}" if unit else "")
            shown = NONE if floor is None else number(floor)
            found.append((title_of(name), score, shown, best_in_words(better), of_measure[0]["protocol"]))
    return found


def notes(one: Evaluated) -> list[str]:
    """Return lines of what is no number: shares of classes, missing and rare ones, and how sure the classifier is."""
    found = {key: value for row in reversed(one.rows) for key, value in row.items()}  # the first draw's
    names = one.class_names or tuple(map(str, range(len(found.get("class_share") or ()))))
    notes = []
    if "median_confidence" in found:
        unsure = f"{found['unsure_share']:.1%} of the fakes below 0.9"
        notes.append(f"confidence of the classifier: median {found['median_confidence']:.4f}, {unsure}")
    if shares := found.get("class_share"):
        shown = [f"{name}: {share:.1%}" for name, share in zip(names, shares, strict=False)][:MOST_CLASSES]
        more = f"  … {len(shares) - MOST_CLASSES} more" if len(shares) > MOST_CLASSES else ""
        notes.append(f"class shares: {'  '.join(shown)}{more}")
    if found.get("label_agreement") is not None:
        notes.append(f"label agreement: {found['label_agreement']:.1%} of the fakes are what their label says")
    for key in ("missing_classes", "rare_classes"):
        if labels := found.get(key):
            called = [str(names[label]) if label < len(names) else str(label) for label in labels[:MOST_CLASSES]]
            notes.append(f"{key.replace('_', ' ')}: {', '.join(called)}{' …' if len(labels) > MOST_CLASSES else ''}")
    return notes


def number(value: float | None) -> str:
    """Return a number with four significant digits; a dash for one that is missing or not finite."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def spread(values: Sequence[Any]) -> str:
    """Return a value, or the mean over draws and their standard deviation; single values below three draws."""
    finite = [float(value) for value in values if value is not None and math.isfinite(value)]
    if len(values) == 1:
        return number(finite[0] if finite else None)
    if len(finite) < len(values):
        return f"{len(finite)} of {len(values)} draws are finite"
    if len(values) == 2:
        return ", ".join(map(number, finite))
    return f"{number(statistics.fmean(finite))} ± {statistics.stdev(finite):.2g}"


def best_in_words(better: Better | None) -> str:
    """Return which values are better."""
    return NONE if better is None else better if isinstance(better, str) else f"{better:g}"
