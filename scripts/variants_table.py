"""The README's table of variants, from the records in docs/results.

    python scripts/variants_table.py              # writes the table between README.md's two markers
    python scripts/variants_table.py --measure    # measures docs/results/step_times.json first: some minutes

A step time is that of one G update and the D updates of its round, of a variant's defaults or of a row's config, on
28×28 grey images, in float32 on one CPU thread: the median over repeats of its ratio to MLPGAN's, measured in turn.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from gan.ablations.report.summary import between
from gan.ablations.statistics import typical
from gan.engine.recipe import Recipe
from gan.runs.fit import configuration
from gan.variants import VARIANTS

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
TIMES = RESULTS / "step_times.json"
WEIGHTS = {"raw": "the weights", "ema": "the averaged weights"}
START, END = "<!-- variants: scripts/variants_table.py -->", "<!-- /variants -->"
REPEATS, STEPS, WARM_UP = 3, 2, 1
# Config, which also names its record and its page of results -> its text.
ROWS = {
    "mlp_gan": "001",
    "strided_dcgan": "000",
    "full_resolution_dcgan": "002",
    "upsampling_dcgan": "003",
    "quickstart": "Radford et al., 2016, small",
    "best": "Mirza and Osindero, 2014, small",
}


class Clock(pl.Callback):
    """Seconds of each round, up to its generator update."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_start(self, *_: Any) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        if "generator" in outputs["updated"]:
            self.seconds.append(time.perf_counter() - self.start)
            self.start = time.perf_counter()


def configured(config: str) -> tuple[str, Recipe]:
    """The variant of a row's config, and the recipe that it trains by."""
    model = configuration(config)["model"]
    return model["class_path"].rsplit(".", 1)[-1], Recipe.from_dict(model["init_args"]["recipe"])


def step_seconds(variant: str, recipe: Recipe) -> float:
    """Median of a few steps, after one that allocates."""
    recipe = recipe.merged({"output_bias": "drawn"})  # the images here have no marginals
    module, clock = VARIANTS[variant](recipe), Clock()
    # A step of MLPGAN takes milliseconds: more of them, for the clock's sake.
    steps = WARM_UP + STEPS * (5 if recipe.generator["name"] in ("mlp", "dcgan") else 1)
    images = torch.randint(0, 256, (recipe.batch_size, 1, 28, 28), dtype=torch.uint8)
    batches = [(images, torch.zeros(len(images), dtype=torch.int64))] * (steps * recipe.d_steps)
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    pl.Trainer(max_steps=steps, max_epochs=-1, accelerator="cpu", callbacks=[clock], **quiet).fit(
        module, DataLoader(batches, batch_size=None)
    )
    return statistics.median(clock.seconds[WARM_UP:])


def measure() -> dict[str, float]:
    """Step time of each variant, and of each config that changes one, in MLPGAN's; in turn within each repeat."""
    torch.set_num_threads(1)
    timed = {variant: (variant, VARIANTS[variant].defaults) for variant in VARIANTS}
    configs = {config: configured(config) for config in ROWS}
    timed |= {config: case for config, case in configs.items() if case != timed[case[0]]}
    ratios: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(REPEATS):
        seconds = {name: step_seconds(variant, recipe) for name, (variant, recipe) in timed.items()}
        for name in timed:
            ratios[name].append(seconds[name] / seconds["MLPGAN"])
    return {name: statistics.median(values) for name, values in ratios.items()}


def fid(records: list[dict[str, Any]]) -> str:
    """The typical FID with its interval, as `gan report` writes it, and the protocol in words."""
    values = [record["fid"] for record in records]
    first = records[0]
    seeds = f"{len(values)} seed{'s' * (len(values) > 1)}"
    return (
        f"{between(typical(values))} ({seeds}; {first['num_fake']:,} samples of {WEIGHTS[first['weights']]} "
        f"against test images of {first['data_set']}, {first['source']}; floor {first['fid_floor']:.2f})"
    )


def table() -> str:
    """One row for each config."""
    times = json.loads(TIMES.read_text())
    lines = [
        "| variant | text | data | parameters G / D | step time | FID | samples |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for config, text in ROWS.items():
        records = json.loads((RESULTS / f"{config}.json").read_text())
        variant, recipe = configured(config)
        module = VARIANTS[variant](recipe)
        counts = [
            sum(p.numel() for p in network.parameters()) / 1e6 for network in (module.generator, module.discriminator)
        ]
        first = records[0]
        steps = f"{first['step']:,} steps" + (f", {first['precision']}" if first["precision"] != "32-true" else "")
        lines.append(
            f"| [`{variant}`](docs/results/{config}.md), config `{config}` | {text} | {first['data_set']}, {steps} "
            f"| {counts[0]:.2f} / {counts[1]:.2f} million | {times.get(config, times[variant]):.1f} | {fid(records)} "
            f"| ![]({(RESULTS / f'{config}_thumbnail.png').relative_to(ROOT).as_posix()}) |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure if asked to, then write the table into README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="measure the step times anew")
    if parser.parse_args().measure:
        TIMES.write_text(json.dumps(measure(), indent=1) + "\n")
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{START}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
