"""Derived runs for TensorBoard: each arm's mean with its band, beside the runs that it is the mean of.

A derived run has its curves, its command and recipe as text, and a session of the HPARAMS tab. D's and G's curves are
runs of their own below it, since TensorBoard gives a colour to a run and not to a tag. Its charts open with linear
axes, and nothing in a file can change that: so there are curves of the FID's logarithm to base 10, floor included.
"""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from gan.ablations.report.curves import Band, scalar_curves, score_curves
from gan.ablations.report.keys import word
from gan.ablations.report.study import Study
from gan.ablations.report.summary import Line
from gan.base.disk import writing
from gan.runs.rows import title_of
from gan.runs.session import EVENTS
from gan.runs.yaml_files import to_yaml

# Tag of the runs -> the derived run below the arm's, and its tag there.
PLAYERS = {
    f"{what}/{player}": (letter, f"mean/{what}")
    for what in ("loss", "gradient_norm")
    for player, letter in (("discriminator", "D"), ("generator", "G"))
}
BESIDE = ("score/low", "score/high", "score/failed", "score/runs", "score/ratio")


def write_derived_runs(study: Study, lines: Sequence[Line], command: str, place: Path) -> None:
    """Write a derived run for each arm below `place`, in place of those that were there."""
    for old in place.rglob(EVENTS) if place.is_dir() else ():
        old.unlink()
    fids = score_curves(study, "steps")
    players = scalar_curves(study.groups, list(PLAYERS), "steps")
    varied = _varied(study)
    for line in lines:
        name = line.group.name
        directory = place / re.sub(r"[^\w.,=+-]+", "_", name)
        fid = fids.bands.get(name)
        with writing(directory), SummaryWriter(str(directory)) as writer:
            writer.add_custom_scalars(_layout(study.score_name))
            _write_session(writer, _tag_of_score(study), varied[name], varied, line, int(fid.x[-1]) if fid else 0)
            if fid:
                _write_score(writer, study.score_name, fid, fids.floor)
            config = next((run.config for run in line.group.runs.values() if run.is_run), {})
            writer.add_text("command", _code("\n".join([command, *_commands(line)])))
            writer.add_text("recipe", _code(to_yaml(config)))
        for tag, (letter, below) in PLAYERS.items():
            if band := players[tag].bands.get(name):
                with writing(directory), SummaryWriter(str(directory / letter)) as writer:
                    _write_band(writer, below, band.x, band.mean, band.low, band.high)


def _commands(line: Line) -> list[str]:
    """Return the commands that began the runs of an arm."""
    entries = [run.provenance[0] for run in line.group.runs.values() if run.provenance]
    return [shlex.join(map(str, entry["command"])) for entry in entries if isinstance(entry.get("command"), list)]


def _layout(name: str) -> dict[str, dict[str, list[Any]]]:
    """Return the charts of the arms' means."""
    title = title_of(name)
    return {
        "arms": {
            "loss of D and G: mean and 95 % interval": ["Margin", ["mean/loss", "mean/loss_low", "mean/loss_high"]],
            f"{title} on held-out images: mean and 95 % interval": [
                *("Margin", [f"mean/{name}", f"mean/{name}_low", f"mean/{name}_high"]),
            ],
            f"log10 of the {title}: mean and 95 % interval": [
                *("Margin", [f"mean/log10_{name}", f"mean/log10_{name}_low", f"mean/log10_{name}_high"]),
            ],
            f"log10 of the {title} and its floor": ["Multiline", [f"mean/log10_{name}$", f"mean/log10_{name}_floor$"]],
        }
    }


def _write_score(writer: SummaryWriter, name: str, score: Band, floor: float | None) -> None:
    """Write the mean of the scores, and its logarithm if they have one."""
    _write_band(writer, f"mean/{name}", score.x, score.mean, score.low, score.high)
    positive = bool((score.mean > 0).all()) and not bool((score.low <= 0).any())
    if positive:
        _write_band(writer, f"mean/log10_{name}", score.x, *map(np.log10, (score.mean, score.low, score.high)))
    for step in score.x if floor else ():
        writer.add_scalar(f"mean/{name}_floor", floor, int(step))
        if positive and (floor or 0) > 0:
            writer.add_scalar(f"mean/log10_{name}_floor", math.log10(floor or 1), int(step))


def _write_band(writer: SummaryWriter, tag: str, x: Any, mean: Any, low: Any, high: Any) -> None:
    """Write a mean with its bounds. The band of a single run has no width, since a margin chart needs its bounds."""
    for step, value, below, above in zip(x, mean, low, high, strict=True):
        bounds = (value, value) if math.isnan(below) else (below, above)
        for name, number in zip((tag, f"{tag}_low", f"{tag}_high"), (value, *bounds), strict=True):
            writer.add_scalar(name, float(number), int(step))


def _write_session(
    writer: SummaryWriter,
    score: str,
    own: Mapping[str, Any],
    varied: Mapping[str, Mapping[str, Any]],
    line: Line,
    step: int,
) -> None:
    """Write the arm's row of the HPARAMS tab, whose columns are what varies among the arms and the scores."""
    typical, ratio = line.typical, line.comparison.ratio.value if line.comparison else math.nan
    scores = (typical.value, typical.low, typical.high) if typical else (math.nan,) * 3
    failed = sum(map(math.isinf, line.group.values))
    values = dict(zip((score, *BESIDE), (*scores, failed, len(line.group.values), ratio), strict=True))
    every = {key: value for other in varied.values() for key, value in other.items()}
    domain = {key: list(dict.fromkeys(o[key] for o in varied.values() if key in o)) for key in every}
    columns, _, _ = hparams(every, dict.fromkeys(values), domain)
    _, start, end = hparams(dict(own), {})
    for summary in (columns, start, end):
        writer._get_file_writer().add_summary(summary)
    for tag, value in values.items():
        if math.isfinite(value):
            writer.add_scalar(tag, value, step)


def _tag_of_score(study: Study) -> str:
    """Return the tag that the final FID has in the runs themselves, if it is the score: one column has both then."""
    averaged = study.protocol is not None and study.protocol.get("weights") == "ema"
    return f"metric_test{'_ema' * averaged}/{study.score_name}" if study.manifest.score == "final" else "score/typical"


def _varied(study: Study) -> dict[str, dict[str, Any]]:
    """Return arm -> key -> value, for the keys that differ among the arms, as numbers or texts. None is left out."""
    keys = dict.fromkeys(key for group in study.groups.values() for key in group.changes)
    usual = {key: pair[0] for group in study.groups.values() for key, pair in group.changes.items()}
    found = {}
    for name, group in study.groups.items():
        values = {key: group.changes[key][1] if key in group.changes else usual[key] for key in keys}
        found[name] = {"arm": name, **values}
    numeric = {key: all(_is_number(v[key]) for v in found.values() if v[key] is not None) for key in keys}
    return {
        name: {key: value if numeric.get(key) else word(value) for key, value in values.items() if value is not None}
        for name, values in found.items()
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _code(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
