"""Runs that were written by hand: what `gan fit` leaves on the disk, without the training."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from gan.base.choices import merge
from gan.measure.protocol import Protocol
from gan.runs.directory import CONFIG, METRICS, PROVENANCE
from gan.runs.status import FILE as STATUS

RECIPE = {
    "prior": {"name": "normal", "mean": 0.0, "std": 1.0},
    "latent_dim": 100,
    "generator_optimizer": {"name": "adam", "lr": 0.001},
}
PROTOCOL = Protocol(
    **{"metric": "frechet", "metric_version": 1, "extractor": "mnist", "extractor_version": 1},
    **{"extractor_sha256": "e" * 64, "data_set": "mnist", "source": "embedded", "data_sha256": "d" * 64},
    **{"split": "held-out", "real_trained_on": False, "num_real": 500, "num_fake": 1000},
    **{"role": "selection", "noise_seed": 0},
)
BATCH = 64


def written_run(
    directory: Path,
    fids: Sequence[float] = (80.0, 40.0, 20.0),
    *,
    seed: int = 1,
    recipe: Mapping[str, Any] | None = None,
    state: str = "finished",
    every: int = 100,
    picture: int | None = 200,
    protocol: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """A run with an FID every so many updates, the last of them on test images, too, if it is finished.

    An FID that is not finite is written as null. `picture` is the grey level of its samples.
    """
    directory.mkdir(parents=True)
    steps = [every * (number + 1) for number in range(len(fids))]
    model = {"class_path": "gan.variants.mlp_gan.MLPGAN", "init_args": {"recipe": merge(RECIPE, recipe or {})}}
    config = {
        **{"format": 2, "model": model, "seed_everything": seed, "run": str(directory)},
        **{"data": {"name": {"name": "mnist"}}, "trainer": {"max_steps": steps[-1] if steps else 100}},
        **{"image_grid": {"num_images": 20}, "checkpoints": {}},
    }
    (directory / CONFIG).write_text(yaml.dump(merge(config, more or {}), Dumper=getattr(yaml, "CSafeDumper", None)))
    status = {"state": state, "reason": None, "step": steps[-1] if steps else 0, "pid": 1, "host": "h"}
    times = {"started": "2026-01-01T00:00:00+00:00", "heartbeat": "2026-01-01T00:01:00+00:00", "phase": "training"}
    (directory / STATUS).write_text(json.dumps(status | times))
    entry = {"command": ["gan", "fit"], "repositories": {"gan": {"commit": "c" * 40}}, "device": "cpu", "threads": 1}
    (directory / PROVENANCE).write_text(json.dumps([entry | {"precision": "32-true", "versions": {"gan": "0.4.0"}}]))
    values = [None if not math.isfinite(fid) else fid for fid in fids]
    rows = [_row(step, fid, seed, protocol or {}) for step, fid in zip(steps, values, strict=True)]
    if state == "finished" and rows:
        rows.append(_row(steps[-1], values[-1], seed, {"role": "report", "split": "test"} | dict(protocol or {})))
    (directory / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    if picture is not None:
        (directory / "samples").mkdir()
        grid = Image.new("L", (302, 62), 0)
        for tile in range(20):
            grid.paste(picture - 5 * tile, (2 + tile % 10 * 30, 2 + tile // 10 * 30, *_corner(tile)))
        grid.save(directory / "samples" / f"step_{steps[-1] if steps else 0:07d}.png")
    return directory


def _corner(tile: int) -> tuple[int, int]:
    return 30 + tile % 10 * 30, 30 + tile // 10 * 30


def _row(step: int, fid: float | None, seed: int, change: Mapping[str, Any]) -> dict[str, Any]:
    protocol = Protocol(**{**PROTOCOL.__dict__, **change})
    return protocol.row(step=step, images_seen=BATCH * step, seed=seed, commit="c" * 40, fid=fid, fid_floor=1.5)


def written_arms(
    directory: Path, arms: Mapping[str, Mapping[str, Any]], scores: Mapping[str, Sequence[float]], **settings: Any
) -> Path:
    """A run for each arm and score, in ARM/seed_N. Each came down to its score by halves; infinity diverged."""
    for arm, recipe in arms.items():
        for seed, score in enumerate(scores[arm], start=1):
            fids = [4 * score, 2 * score, score] if math.isfinite(score) else [300.0, math.inf]
            state = "finished" if math.isfinite(score) else "diverged"
            how = {"seed": seed, "recipe": recipe, "more": {"trainer": {"max_steps": 300}}, **settings}
            written_run(directory / arm / f"seed_{seed}", fids, state=state, **how)
    return directory
