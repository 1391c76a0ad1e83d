"""Speed of every system against the limit of the processor, a bare PyTorch loop, and programs of others.

    python scripts/benchmark.py --data-root DIR --write                           # the table of docs/results/speed.md
    python scripts/benchmark.py --systems MLPGAN --threads 1 --data-root DIR      # a row
    python scripts/benchmark.py --systems MLPGAN --peer "MLPGAN=python other.py"  # beside another program

For each system, number of threads and precision four things are measured, each in a process of its own: the limit, the
bare loop, `gan fit`, and with --peer a program that prints `ms/step NUMBER`. They follow one another within a repeat,
in turns of order, so that a ratio compares neighbours in time. A row has the medians over the repeats.

The limit is the time that the products of matrices of one step take by themselves, in the step's own sizes and
precision: a convolution counts as the product that it is. A share of the limit is that time divided by a step's.
"""

import argparse
import json
import os
import platform
import re
import resource
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from gan.runs.provenance import commit
from gan.variants import VARIANTS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "speed.md"
START, END = "<!-- table: scripts/benchmark.py -->", "<!-- /table -->"
SYSTEMS = (*VARIANTS, "quickstart")
PRECISIONS = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}
KINDS = ("limit", "bare", "fit")
SIZE = 1536  # of the matrices whose product tells how fast the processor is
POINTS = 5  # of the curve of the speed that `gan fit` writes in a measurement
HEAD = ("system", "threads", "precision", "GFLOP", "limit, ms", "bare loop, ms", "`gan fit`, ms", "share of the limit",
        "`gan fit` / bare loop", "peak MiB")  # fmt: skip


def product_rate(dtype: torch.dtype) -> float:
    """Return the GFLOP a second of a large product of matrices, in this process with its threads."""
    from benchmark_parts import median_ms

    a, b = torch.randn(SIZE, SIZE).to(dtype), torch.randn(SIZE, SIZE).to(dtype)
    return 2 * SIZE**3 / median_ms(lambda: a @ b, 0.5) / 1e6


def measured(options: argparse.Namespace) -> dict[str, float]:
    """Return what a process of its own measures."""
    import benchmark_parts as parts

    torch.set_num_threads(options.threads[0])
    system, precision, data = options.systems[0], options.precisions[0], place(options)
    if options.child == "rate":
        found = {name: product_rate(dtype) for name, dtype in PRECISIONS.items()}
    elif options.child == "limit":
        found = parts.limit(system, precision, data)
    elif options.child == "bare":
        found = {"ms": parts.bare(system, precision, data, options.seconds)}
    else:
        found = {"ms": parts.fit(system, precision, data, options.window, POINTS)}
    return found | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def place(options: argparse.Namespace) -> dict[str, str]:
    """Return the images to train on, as `gan fit` takes them."""
    return {"source": "idx", "root": options.data_root} if options.data_root else {"source": "embedded"}


def child(kind: str, options: argparse.Namespace, system: str, threads: int, precision: str, window: int) -> dict:
    """Return what another process measured."""
    words = ["--child", kind, "--systems", system, "--threads", str(threads), "--precisions", precision]
    words += ["--seconds", str(options.seconds), "--window", str(window)]
    words += ["--data-root", options.data_root] if options.data_root else []
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    return json.loads(_output([sys.executable, "-W", "ignore", __file__, *words], environment).splitlines()[-1])


def peer(command: str, threads: int) -> float:
    """Return the milliseconds of a step that another program prints. It may use as many cores as ours has threads."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    words = ["taskset", "--cpu-list", ",".join(map(str, cores)), *shlex.split(command)]
    found = re.findall(r"ms/step\D*([\d.]+)", _output(words, dict(os.environ)))
    if not found:
        sys.exit(f"--peer: {command}: prints no `ms/step NUMBER`")
    return float(found[-1])


def _output(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stderr}")
    return done.stdout


def row(options: argparse.Namespace, system: str, threads: int, precision: str) -> dict[str, Any]:
    """Return the medians of one system with one number of threads in one precision."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in (*KINDS, "peer")}
    window = 1
    for repeat in range(options.repeats):
        for kind in KINDS if repeat % 2 == 0 else KINDS[::-1]:
            found[kind].append(child(kind, options, system, threads, precision, window))
            if kind == "bare":  # all points of the curve together then take as long as the bare loop does
                window = max(1, round(options.seconds * 1e3 / POINTS / found["bare"][-1]["ms"]))
        if system in options.peer:
            found["peer"].append({"ms": peer(options.peer[system], threads)})
    middle = {kind: statistics.median(one["ms"] for one in found[kind]) for kind in ("bare", "fit")}
    limits = statistics.median(one["limit_ms"] for one in found["limit"])
    pairs = zip(found["fit"], found["bare"], strict=True)
    result = {
        **{"system": system, "threads": threads, "precision": precision, "gflop": found["limit"][0]["gflop"]},
        **{"limit_ms": limits, "bare_ms": middle["bare"], "fit_ms": middle["fit"], "share": limits / middle["fit"]},
        "ratio": statistics.median(fit["ms"] / bare["ms"] for fit, bare in pairs),
        "peak_mib": max(one["peak_mib"] for one in found["fit"]),
    }
    if found["peer"]:
        result["peer_ms"] = statistics.median(one["ms"] for one in found["peer"])
        pairs = zip(found["peer"], found["fit"], strict=True)
        result["peer_ratio"] = statistics.median(other["ms"] / fit["ms"] for other, fit in pairs)
    return result


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table in Markdown."""
    peers = any("peer_ms" in found for found in rows)
    head = (*HEAD, *(("the other program, ms", "the other program / `gan fit`") if peers else ()))
    table = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for found in rows:
        cells = [found["system"], str(found["threads"]), found["precision"], f"{found['gflop']:.2f}"]
        cells += [f"{found[key]:.1f}" for key in ("limit_ms", "bare_ms", "fit_ms")]
        cells += [f"{found['share']:.0%}", f"{found['ratio']:.3f}", f"{found['peak_mib']:.0f}"]
        if peers:
            cells += [f"{found['peer_ms']:.1f}", f"{found['peer_ratio']:.2f}"] if "peer_ms" in found else ["–", "–"]
        table.append("| " + " | ".join(cells) + " |")
    return table


def about(options: argparse.Namespace, rates: dict[int, dict[str, float]]) -> str:
    """Return what was measured, on which machine, and how fast it multiplies matrices."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    machine = f"{processor[1] if processor else platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"
    images = "MNIST's files" if options.data_root else "the embedded digits"
    told = [
        f"{rate:.0f} in {name} with {threads} thread{'s' * (threads > 1)}"
        for threads, found in rates.items()
        for name, rate in found.items()
    ]
    return (
        f"{machine}, {os.cpu_count()} cores, torch {torch.__version__}, commit {(commit() or '?')[:7]}, {images}. "
        f"Medians of {options.repeats} repeats. GFLOP a second of a product of two matrices of {SIZE:,} by {SIZE:,} "
        f"numbers: {', '.join(told)}."
    )


def parsed() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, metavar="NAME", help="variants and configurations")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a measurement, at least (default 5)")
    parser.add_argument("--peer", action="append", default=[], metavar="SYSTEM=COMMAND")
    parser.add_argument("--data-root", help="folder of MNIST's idx files; without it the embedded digits")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results/speed.md")
    parser.add_argument("--child", choices=["rate", *KINDS], help=argparse.SUPPRESS)
    parser.add_argument("--window", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.peer = dict(text.split("=", 1) for text in options.peer if "=" in text)
    if unknown := {*options.systems, *options.peer} - {*SYSTEMS, "best"}:
        parser.error(f"no such system: {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}, best")
    return options


def main() -> None:
    """Measure and print the rows, and write the page if asked to."""
    options = parsed()
    if options.child:
        print(json.dumps(measured(options)))
        return
    rates = {n: child("rate", options, options.systems[0], n, "32-true", 1) for n in options.threads}
    rates = {n: {name: found[name] for name in PRECISIONS} for n, found in rates.items()}
    fast = min(found["bf16-mixed"] / found["32-true"] for found in rates.values()) > 1
    skipped = (
        "" if fast else "\n\nbf16-mixed is left out: this processor's products are slower in bfloat16 than in float32."
    )
    precisions = [name for name in options.precisions if fast or name == "32-true"]
    text = about(options, rates) + skipped
    print(text + "\n\n" + "\n".join(lines([])), flush=True)
    rows = []
    for system in options.systems:
        for threads in options.threads:
            for precision in precisions:
                rows.append(row(options, system, threads, precision))
                print(lines(rows)[-1], flush=True)
    if options.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(START)
        _, after = rest.split(END)
        PAGE.write_text(
            f"{before}{START}\n\n{text}\n\n" + "\n".join(lines(rows)) + f"\n\n{END}{after}", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
