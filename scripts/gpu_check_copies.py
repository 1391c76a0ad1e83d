"""The part `copies` of gpu_check: packed runs beside single ones, by the product's own `gan.fit`.

A row trains one variant with one number of copies. Its figures are updates of all copies together per second, peak
memory, and FIDs after equal steps. With 8 copies the second one is compared with its single run.
"""

import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gpu_check_parts import Check, FailError, Job, change

import gan
from gan.runs.checkpoint import read_checkpoint
from gan.runs.reader import read_run

VARIANTS = ("MLPGAN", "DCGAN", "StridedDCGAN")
COUNTS = (1, 8, 32, 128)
COMPARED = 8  # number of copies of which one is compared with its single run
NEAR = 1e-3  # largest difference of its weights after 10 updates, relative to the largest weight


def jobs(check: Check) -> Iterator[Job]:
    """Rows for each variant and number of copies; if quick, for two copies of the first variant."""
    variants = [name for name in check.variants if check.quick or name in VARIANTS]
    for variant in variants[: 1 if check.quick else None]:
        for count in (2,) if check.quick else COUNTS:
            yield Job(variant, "32-true", partial(row, check, variant, count))


def row(check: Check, variant: str, count: int) -> dict[str, Any]:
    """Train, and return the figures."""
    steps = check.steps(400, 4)
    place = check.folder / f"copies_{variant}_{count}"
    if check.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    runs = trained(check, variant, count, place, steps, measured=count <= COMPARED)
    speeds = list(runs[0].scalars()["throughput/steps_per_second"].values())[1:]
    figures: dict[str, Any] = {
        "copies": count,
        "steps_per_second": count * statistics.median(speeds),
        "peak_mib": torch.cuda.max_memory_allocated() // 2**20 if check.device == "cuda" else None,
        "fids": [run.report["fid"] for run in runs if run.report],
    }
    if any(run.state != "finished" for run in runs):
        raise FailError(f"runs ended as {', '.join(run.state for run in runs)}", figures)
    if count in (2, COMPARED):
        few = check.steps(10, 2)
        packed = trained(check, variant, count, place.with_name(f"{place.name}_few"), few)[1]
        single = trained(check, variant, 1, place.with_name(f"{place.name}_single"), few, seed=2)[0]
        ours, theirs = (read_checkpoint(run.checkpoint())["state_dict"] for run in (packed, single))
        largest = max(float(weight.abs().max()) for weight in theirs.values())
        apart = max(float((ours[name] - weight).abs().max()) for name, weight in theirs.items()) / largest
        figures["difference"] = apart
        if not apart <= NEAR:
            raise FailError(f"a copy's weights differ from its single run's by {apart:.2g} of the largest", figures)
    return figures


def trained(
    check: Check, variant: str, count: int, place: Path, steps: int, seed: int = 1, measured: bool = False
) -> list[Any]:
    """The runs of `count` seeds from `seed` on, trained as one program if they are several."""
    data = {"root": check.data_root, "source": "idx"} if check.data_root else {"source": "embedded"}
    outcome = gan.fit(
        **{"model": variant, "recipe": change(check, variant), "data": data, "seed_everything": seed},
        **{"copies": count if count > 1 else None, "run": place},
        trainer={
            **{"max_steps": steps, "accelerator": "gpu" if check.device == "cuda" else "cpu"},
            "enable_progress_bar": False,
        },
        scalars={"every_n_steps": max(1, steps // 4)},
        evaluation={"every_n_steps": steps if measured else 0, "num_samples": check.steps(2000, 20)},
        **{section: {"every_n_steps": 0} for section in ("image_grid", "checkpoints")},
    )
    return [read_run(one.directory) for one in outcome.copies or (outcome,)]
