"""How fast a sweep trains on this machine, against single runs.

    python scripts/benchmark_sweep.py --work DIR [--runs 16] [--steps 300] [--repeats 3]

Short MLPGAN runs on the embedded digits, in turn: two single runs side by side with one thread each (the reference), a
sweep of `--runs` with two workers, and single runs one after another with two threads. The rate of a run is that of its
curve `throughput/steps_per_second`, so that start-up is not in it; start-up stands apart, as the sweep's seconds that
are not training. The machine must be idle: what else runs counts against the sweep.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from gan.runs.reader import Run, find_runs

WINDOW = 20  # G updates
SHORT = ("--data.source=embedded", "--evaluation.every_n_steps=0", "--image_grid.every_n_steps=0")
SHORT = (*SHORT, "--checkpoints.every_n_steps=0", "--trainer.enable_progress_bar=false")
SHORT = ("--config=mlp_gan", *SHORT, f"--scalars.every_n_steps={WINDOW}", "--trainer.accelerator=cpu")


def start(*words: object) -> subprocess.Popen:
    """A `gan` command as a process."""
    command = [sys.executable, "-m", "gan", *map(str, words)]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)


def rate(run: Run) -> float:
    """Steps a second, the median over windows, without the first one."""
    windows = run.scalars()["throughput/steps_per_second"]
    return statistics.median([value for step, value in windows.items() if step > WINDOW])


def together(place: Path, steps: int) -> float:
    """The summed rate of two single runs side by side."""
    runs = [place / f"seed_{seed}" for seed in (1, 2)]
    length = f"--trainer.max_steps={steps}"
    both = [
        start("fit", *SHORT, length, "--threads=1", f"--seed_everything={n}", f"--run={run}")
        for n, run in enumerate(runs, start=1)
    ]
    if any(process.wait() for process in both):
        raise SystemExit("a single run failed")
    return sum(rate(Run(run)) for run in runs)


def one_after_another(place: Path, steps: int) -> float:
    """The rate of a single run with two threads."""
    if start("fit", *SHORT, f"--trainer.max_steps={steps}", "--threads=2", f"--run={place / 'seed_1'}").wait():
        raise SystemExit("a single run failed")
    return rate(Run(place / "seed_1"))


def swept(place: Path, steps: int, runs: int) -> tuple[float, float]:
    """The summed rate of a sweep's two workers, and the seconds of start-up that each run had."""
    began = time.monotonic()
    words = ("--grid", "prior=normal", f"--seeds=1-{runs}", "--name=sweep", f"--budget={steps}", f"--runs={place}")
    if start("sweep", *SHORT, *words, "--workers=2", "--threads=1").wait():
        raise SystemExit("the sweep failed")
    seconds = time.monotonic() - began
    rates = [rate(run) for run in find_runs(place / "sweep")]
    training = sum(steps / one for one in rates)
    return 2 * statistics.mean(rates), (2 * seconds - training) / runs


def main() -> None:
    """Measure, and print a JSON object for each repeat and one with the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the runs, which is emptied")
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    found = []
    for number in range(options.repeats):
        place = options.work / f"repeat_{number}"
        shutil.rmtree(place, ignore_errors=True)
        reference = together(place / "together", options.steps)
        rate_of_sweep, startup = swept(place / "swept", options.steps, options.runs)
        alone = one_after_another(place / "alone", options.steps)
        found.append(
            {
                "two single runs, steps a second": reference,
                "sweep of two workers, steps a second": rate_of_sweep,
                "sweep / two single runs": rate_of_sweep / reference,
                "sweep / one after another, two threads": rate_of_sweep / alone,
                "start-up of a run in the sweep, seconds": startup,
            }
        )
        print(json.dumps(found[-1]), flush=True)
    print(json.dumps({key: statistics.median(one[key] for one in found) for key in found[0]}, indent=1))


if __name__ == "__main__":
    main()
