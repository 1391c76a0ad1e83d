"""Speed and peak memory of `gan fit` against a bare PyTorch loop of the same calls, on MLPGAN at batch 128.

    python scripts/benchmark.py [--repeats 7] [--steps 400] [--threads 1] [--data-root DIR]

Both train on the same digits. Each repeat runs both, one after the other and each in a process of its own; a
repeat's ratio compares only these two. Evaluation, grids and checkpoints are off; scalars are written every 50 steps.
About 5 minutes on two cores.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import softplus

WINDOW = 50  # steps, between two time stamps


def bare(steps: int, data: list[str]) -> list[float]:
    """Steps per second of each window of MLPGAN's loop in plain PyTorch, with the same draws, calls and schedules."""
    from gan.base.images import to_range
    from gan.base.streams import stream
    from gan.data.batches import DeviceBatches
    from gan.data.sources.mnist import MNIST
    from gan.parts.optimizers import exponential_decay, linear_ramp, momentum_sgd
    from gan.variants.mlp_gan import MLPGAN

    torch.manual_seed(1)
    module = MLPGAN()
    generator, discriminator = module.generator, module.discriminator
    g_optimizer = momentum_sgd(generator.parameters(), lr=0.01, momentum=0.5)
    d_optimizer = momentum_sgd(discriminator.parameters(), lr=0.01, momentum=0.5)
    noise = stream("training noise", 1, 0)
    batches = DeviceBatches(MNIST().load(Path(data[1]), data[0], "text").train, 128, 1, "cpu")
    step, speeds, start = 0, [], time.perf_counter()
    while step < steps:
        for images, _ in batches:
            real = to_range(images, (0.0, 1.0))
            for group in (*g_optimizer.param_groups, *d_optimizer.param_groups):
                group["lr"] = exponential_decay(0.01, step, factor=1.000004, minimum=1e-6)
                group["momentum"] = linear_ramp(0.5, step, final=0.7, updates=250)
            fake = generator(torch.randn(128, 100, generator=noise))
            logits = discriminator(torch.cat([real, fake.detach()]))
            d_optimizer.zero_grad()
            (softplus(-logits[:128]).mean() + softplus(logits[128:]).mean()).backward()
            d_optimizer.step()
            discriminator.requires_grad_(False)
            g_optimizer.zero_grad()
            softplus(-discriminator(fake)).mean().backward()
            g_optimizer.step()
            discriminator.requires_grad_(True)
            step += 1
            if step % WINDOW == 0:
                now = time.perf_counter()
                speeds.append(WINDOW / (now - start))
                start = now
            if step == steps:
                break
    return speeds


def fit(steps: int, data: list[str]) -> list[float]:
    """Steps per second of each window of `gan fit`, as it writes them to TensorBoard itself."""
    import gan
    from gan.runs.reader import read_run

    with tempfile.TemporaryDirectory() as directory:
        run = f"{directory}/run"
        off = {section: {"every_n_steps": 0} for section in ("evaluation", "image_grid", "checkpoints")}
        place = {"source": data[0], "root": data[1]}
        gan.fit(model="MLPGAN", data=place, trainer={"max_steps": steps}, run=run, **off)
        return list(read_run(run).scalars()["throughput/steps_per_second"].values())


def child(kind: str, options: argparse.Namespace) -> dict[str, float]:
    """One measurement in a new process: median speed without the first two windows, and peak memory."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        __file__,
        "--child",
        kind,
        "--steps",
        str(options.steps),
        "--threads",
        str(options.threads),
    ]
    command += [f"--data-root={options.data_root}"] if options.data_root else []
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print a row for each repeat and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", choices=["bare", "fit"], help=argparse.SUPPRESS)
    parser.add_argument("--data-root", help="folder of MNIST's idx files; without it the embedded digits")
    options = parser.parse_args()
    data = ["idx", options.data_root] if options.data_root else ["embedded", "data"]
    if options.child:
        torch.set_num_threads(options.threads)
        speeds = {"bare": bare, "fit": fit}[options.child](options.steps, data)[2:]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"steps_per_second": statistics.median(speeds), "peak_mib": peak}))
        return
    print(
        "| repeat | bare loop, steps/s | gan fit, steps/s | ratio | bare, peak MiB | gan fit, peak MiB |\n|"
        + " --- |" * 6
    )
    rows = []
    for repeat in range(options.repeats):
        order = ["bare", "fit"] if repeat % 2 == 0 else ["fit", "bare"]
        result = {kind: child(kind, options) for kind in order}
        a, b = result["bare"], result["fit"]
        rows.append([a["steps_per_second"], b["steps_per_second"], b["steps_per_second"] / a["steps_per_second"],
                     a["peak_mib"], b["peak_mib"]])  # fmt: skip
        print(_row(str(repeat + 1), rows[-1]), flush=True)
    print(_row("median", [statistics.median(column) for column in zip(*rows, strict=True)]))


def _row(name: str, row: list[float]) -> str:
    a, b, ratio, peak_a, peak_b = row
    return f"| {name} | {a:.1f} | {b:.1f} | {ratio:.3f} | {peak_a:.0f} | {peak_b:.0f} |"


if __name__ == "__main__":
    main()
