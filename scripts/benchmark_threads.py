"""Steps per second of `gan fit` by number of threads and way of waiting, beside busy neighbours.

    python scripts/benchmark_threads.py [--repeats 5] [--steps 60] [--neighbours 0 1 2] [--config quickstart mlp_gan]

A neighbour is a process that computes without a pause. Each cell is a run of its own; a repeat has all cells of a row,
one after the other, and every second repeat has them in reverse. `rule` is what `gan fit` chooses by itself. The last
column is its speed over that of the best fixed setting of the same row. The machine should be idle otherwise: its load
is printed. About 40 minutes on two cores; `--repeats 1 --config quickstart` takes 4.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAITS = {
    "spin": {"GOMP_SPINCOUNT": "300000"},  # what libgomp does where no variable is set
    "brief": {"GOMP_SPINCOUNT": "10000"},  # what `gan` sets on an idle machine
    "sleep": {"OMP_WAIT_POLICY": "PASSIVE"},
}
VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS")


def settings(cores: int) -> dict[str, dict[str, str]]:
    """Name -> environment of each cell: one thread, several with each way of waiting, and the rule."""
    counts = sorted({2**power for power in range(1, cores.bit_length())} | {cores} - {1})
    cells = {"1": {"OMP_NUM_THREADS": "1"}}
    for count in counts:
        cells |= {f"{count} {wait}": {"OMP_NUM_THREADS": str(count)} | WAITS[wait] for wait in WAITS}
    return cells | {"rule": {}}


def speed(config: str, steps: int, environment: dict[str, str]) -> float:
    """Median steps per second of a run's windows of ten steps, without the first two."""
    with tempfile.TemporaryDirectory() as directory:
        off = [f"--{section}.every_n_steps=0" for section in ("evaluation", "image_grid", "checkpoints")]
        words = ["fit", f"--config={config}", "--data.source=embedded", f"--trainer.max_steps={steps}", *off]
        words += ["--scalars.every_n_steps=10", "--trainer.logger=CSVLogger", f"--run={directory}/run"]
        kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        command = [sys.executable, "-W", "ignore", "-m", "gan", *words]
        done = subprocess.run(command, env=kept | environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
        (table,) = Path(directory).rglob("metrics.csv")
        with table.open() as file:
            speeds = [row["throughput/steps_per_second"] for row in csv.DictReader(file)]
    return statistics.median(float(value) for value in speeds[2:] if value)


def main() -> None:
    """Print a row for each config and number of neighbours."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--config", nargs="+", default=["quickstart", "mlp_gan"])
    options = parser.parse_args()
    cells = settings(len(os.sched_getaffinity(0)))
    print(f"load before: {' '.join(f'{load:.1f}' for load in os.getloadavg())}; steps per second\n")
    print(f"| config | neighbours | {' | '.join(cells)} | rule / best |\n|{' --- |' * (len(cells) + 3)}")
    for config in options.config:
        for count in options.neighbours:
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
            try:
                time.sleep(1)
                found: dict[str, list[float]] = {name: [] for name in cells}
                for repeat in range(options.repeats):
                    for name in list(cells)[:: 1 if repeat % 2 == 0 else -1]:
                        found[name].append(speed(config, options.steps, cells[name]))
            finally:
                for process in busy:
                    process.kill()
            median = {name: statistics.median(values) for name, values in found.items()}
            best = max(value for name, value in median.items() if name != "rule")
            numbers = " | ".join(f"{value:.1f}" for value in median.values())
            print(f"| {config} | {count} | {numbers} | {median['rule'] / best:.2f} |", flush=True)


if __name__ == "__main__":
    main()
