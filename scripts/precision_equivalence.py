"""Does bfloat16 cost a system anything? Trains it in both precisions and tests whether the FIDs are alike.

    python scripts/precision_equivalence.py quickstart --data-root DIR --runs runs/precision
    python scripts/precision_equivalence.py best --steps 2500 --data-root DIR --runs runs/precision --emulate

Runs are paired by seed. FIDs are alike if their ratio is between 1 / 1.25 and 1.25 by two one-sided tests. A second
call goes on with what was begun.

With --emulate a processor without products in bfloat16 computes them as one with them does: of numbers in bfloat16,
summed in float32, and the sum rounded to bfloat16. All other operations are PyTorch's own in bfloat16 either way.
"""

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

import gan
from gan.ablations.power import runs_needed
from gan.ablations.statistics import compare, equivalent
from gan.runs.precision import FAST, FULL
from gan.runs.reader import read_run

MARGIN = 0.25
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "convolution", "convolution_backward")


class Emulated(TorchDispatchMode):
    """Products of bfloat16 numbers are summed in float32 and rounded once."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ not in PRODUCTS or torch.bfloat16 not in _types(args):
            return func(*args, **(kwargs or {}))
        wide = tree_map(lambda x: x.float() if isinstance(x, torch.Tensor) else x, args)
        narrow = tree_map(lambda x: x.bfloat16() if isinstance(x, torch.Tensor) else x, func(*wide, **(kwargs or {})))
        return narrow


def _types(args: Any) -> set[torch.dtype]:
    return {x.dtype for x in args if isinstance(x, torch.Tensor)}


def fids(options: argparse.Namespace, precision: str) -> list[float]:
    """Return the FIDs on test images, one for each seed."""
    found = []
    for seed in options.seeds:
        run = Path(options.runs) / f"{options.config}_{options.steps}" / precision / f"seed_{seed}"
        emulated = Emulated() if options.emulate and precision == FAST else nullcontext()
        with emulated:
            gan.fit(
                options.config,
                trainer={"precision": precision, "max_steps": options.steps, "accelerator": "cpu"},
                data={"root": options.data_root},
                **{"seed_everything": seed, "run": run, "resume": True, "threads": 1},
            )
        ended = read_run(run)
        report = ended.report
        if report is None:
            sys.exit(f"{run}: {ended.status}, and so without a score; give the same line again to go on")
        found.append(report["fid"])
        print(f"{options.config}, seed {seed}, {precision}: FID {found[-1]:.3f}", flush=True)
    return found


def main() -> None:
    """Train what is missing, and print what it shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--data-root", required=True, help="folder of MNIST's idx files")
    parser.add_argument("--runs", required=True, help="directory of the runs")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--emulate", action="store_true")
    options = parser.parse_args()
    full, fast = fids(options, FULL), fids(options, FAST)
    found, p = compare(fast, full), equivalent(fast, full, MARGIN)
    spread = float(np.std(np.log(fast) - np.log(full), ddof=1))
    ratio = found.ratio
    print(
        json.dumps(
            {
                "config": options.config,
                "steps": options.steps,
                "seeds": options.seeds,
                "emulated": options.emulate,
                FULL: full,
                FAST: fast,
                "ratio": [ratio.value, ratio.low, ratio.high],
                "p_of_equivalence": p,
                "spread_of_log_ratio": spread,
                "runs_needed": runs_needed(1 + MARGIN, spread),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
