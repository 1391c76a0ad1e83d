"""Trains in one checkout what scripts/compare_checkouts.py asks for, a fork each, with random numbers handed in or not.

Its cases come as lines of JSON, {words, log, weights}: the words of `gan fit`, the file of its output and, where random
numbers are handed in, that of the initial weights. It prints 0 once it is ready, and the exit code of each case.
"""

import contextlib
import io
import itertools
import json
import os
import sys
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

# Where random numbers come from. A checkout that has other names for it needs them here.
STREAM_MODULES = ("gan.base.streams", "gan.streams")
STREAM_FUNCTIONS = ("stream",)  # of (name, *parts), each of which returns a torch.Generator
STREAMS = {"training noise": "noise", "data order": "order"}  # a checkout's own name of a stream -> one for both
CONTINUED = {"noise"}  # streams that are one generator, whoever asks; the others start anew at each call


def serve(folder: Path) -> None:
    """Train the cases that standard input names, a fork each."""
    import gan.variants
    from gan.cli import main as command

    assert Path(str(gan.__file__)).is_relative_to(folder), f"{gan.__file__} is not in {folder}"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        command(["fit", "--model=MLPGAN", "--print_config"])  # imports everything, once for all forks
    print(0, flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            train(command, **json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def train(command: Callable[[list[str]], None], words: list[str], log: str, weights: str | None) -> None:
    """Run one command and end the process with its exit code."""
    code: object = 1
    try:
        for output in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), output)
        if weights:
            hand_in_weights(Path(weights))
            hand_in_streams()
            hand_in_masks()
        command(words)
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def gan_modules() -> list[Any]:
    """What is imported of the package."""
    return [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "gan"]


def hand_in_weights(file: Path) -> None:
    """Before the first batch the module's weights are written, or read if they were written already."""
    import pytorch_lightning as pl

    class Weights(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            if file.is_file():
                pl_module.load_state_dict(torch.load(file, weights_only=True))
            else:
                torch.save(pl_module.state_dict(), file)

    fit = pl.Trainer.fit

    def fit_with_weights(self: Any, *arguments: Any, **settings: Any) -> None:
        self.callbacks.append(Weights())
        fit(self, *arguments, **settings)

    pl.Trainer.fit = fit_with_weights


def hand_in_streams() -> None:
    """A stream is seeded by its name and by how often it was asked for, whatever seed and rank it belongs to."""
    calls: Counter[str] = Counter()
    continued: dict[str, torch.Generator] = {}

    def stream(name: str, *parts: object, device: torch.device | str = "cpu", **settings: object) -> torch.Generator:
        word = STREAMS.get(name, name)
        if word in continued:
            return continued[word]
        calls[word] += 1
        generator = torch.Generator(device).manual_seed(zlib.crc32(f"{word} {calls[word]}".encode()))
        if word in CONTINUED:
            continued[word] = generator
        return generator

    homes = [sys.modules[name] for name in STREAM_MODULES if name in sys.modules]
    originals = [getattr(home, name) for home in homes for name in STREAM_FUNCTIONS if hasattr(home, name)]
    assert originals, "no stream function found: add its module and its name above"
    for module in gan_modules():  # wherever it was imported by name
        for name, value in list(vars(module).items()):
            if any(value is original for original in originals):
                setattr(module, name, stream)


def hand_in_masks() -> None:
    """The n-th dropout mask that a run draws is seeded by n; so are those of the package's own classes `Dropout…`."""
    numbers = itertools.count()

    def forward(self: Any, inputs: Tensor, *rest: object) -> Tensor:
        if not self.training or not self.p:
            return inputs
        by_channel = "2d" in type(self).__name__ or getattr(self, "channels", False)
        shape = (*inputs.shape[:2], *[1] * (inputs.ndim - 2)) if by_channel else inputs.shape
        kept = torch.rand(shape, generator=torch.Generator().manual_seed(next(numbers))) >= self.p
        return inputs * kept / (1 - self.p)

    types = {value for module in gan_modules() for value in vars(module).values() if isinstance(value, type)}
    own = {kind for kind in types if issubclass(kind, nn.Module) and kind.__name__.startswith("Dropout")}
    for kind in {nn.Dropout, nn.Dropout2d, *own}:
        kind.forward = forward


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
