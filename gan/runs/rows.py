"""What a row of `metrics.jsonl` says of its run's score. Torch is not needed."""

from typing import Any

from gan.measure.direction import Better, loss

Row = dict[str, Any]


def score_name(row: Row) -> str | None:
    """Return which value of a row counts as the run's score. None for rows of its other measures.

    Older rows do not say so. They have one measure, the Fréchet distance.
    """
    name = row.get("score", "fid")
    return name if isinstance(name, str) else None


def score_of(row: Row | None) -> float | None:
    """Return the score of a row, or None where it is missing, or was not finite."""
    value = row.get(score_name(row) or "") if row else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def better_of(row: Row) -> Better:
    """Return which scores are better. Older rows do not say so: the lower Fréchet distance is."""
    better = row.get("better", "lower")
    known = better in ("lower", "higher") or (isinstance(better, int | float) and not isinstance(better, bool))
    return better if known else "lower"


def loss_of(row: Row) -> float:
    """Return the score of a row as a number that is smaller for a better one; infinity without a finite one."""
    return loss(score_of(row), better_of(row))


def ratio_scale(row: Row | None) -> float | None:
    """Return the score as a positive number that is smaller for a better one, or None where there is none.

    A score that is better when it is higher becomes its reciprocal, and one with a best value its distance from that.
    """
    value = score_of(row)
    if row is None or value is None:
        return None
    better = better_of(row)
    if better == "lower":
        return value
    if better == "higher":
        return 1 / value if value > 0 else None
    return abs(value - better)


def title_of(name: str) -> str:
    """Return what a score is called in tables and figures."""
    return "FID" if name == "fid" else name
