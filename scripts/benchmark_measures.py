"""Print seconds and memory of each measure, as markdown: N real and N fake samples of 128 features and 28x28 pixels.

    python scripts/benchmark_measures.py --num 10000 --threads 2

Features are random numbers, so that no network counts. Memory is the peak of the process above what it had before.
"""

import argparse
import resource
import subprocess
import sys
import time

import torch

from gan.measure.extractors.extractor import Features
from gan.measure.measure import Sample, Seen
from gan.measure.registry import MEASURES, chosen


def sample(num: int, seed: int) -> Sample:
    """Random images, features and logits."""
    noise = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (num, 1, 28, 28), dtype=torch.uint8, generator=noise)
    features = torch.randn(num, 128, generator=noise).relu() + 0.01 * seed
    return Sample(images, torch.arange(num) % 10, None, Features(features, 3 * torch.randn(num, 10, generator=noise)))


def peak() -> float:
    """MiB, at most, of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(name: str, num: int) -> str:
    """A row of the table."""
    (measure,) = chosen({name: {}})
    real, fake, train = (sample(num, seed) for seed in range(3))
    seen = Seen(real, fake, real, torch.Generator().manual_seed(0), train, lambda images, _: images[:, 0, 0, 0].float())
    before, start = peak(), time.perf_counter()
    measure.measure.function(seen)
    return f"| `{name}` | {time.perf_counter() - start:.1f} | {peak() - before:,.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.only:
        print(one(options.only, options.num))
        return
    print(f"{options.num:,} real and as many fakes, {options.threads} threads\n")
    print("| measure | seconds | MiB |\n| --- | --- | --- |")
    total = 0.0
    for name in MEASURES:
        words = [sys.executable, __file__, "--num", str(options.num), "--threads", str(options.threads), "--only", name]
        line = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
        total += float(line.split("|")[2])
        print(line, flush=True)
    print(f"| all | {total:.0f} | |")


if __name__ == "__main__":
    main()
