"""The parts of gpu_check: a function for a variant and a precision returns the figures of a row, or says what is wrong.

train           finite losses and weights after 50 updates; steps per second of the last 40
losses          the first loss of each network is the CPU's in 32-true: same weights, images, latents and masks
resume          3 updates, a checkpoint and 3 more by a fresh module end in the weights of 6 updates
outputs         scalars, grids, evaluation and checkpoints; a CPU loads what was written and draws the same images
syncs           how often the host waits for the device inside a step
one_process     DDP with one process, NCCL on a GPU: the weights of a run without DDP
two_processes   DDP with two processes on the one device, through gloo: equal weights, noise of their own
copies          packed runs beside single ones: gpu_check_copies.py
"""

import contextlib
import dataclasses
import hashlib
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor

from gan.base.streams import stream
from gan.data.datamodule import ImageDataModule
from gan.data.split import LoadedData, Split
from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe
from gan.measure.extractors.extractor import exact_float32
from gan.measure.measurement import Measurement
from gan.runs.callbacks.checkpoints import Checkpoints
from gan.runs.callbacks.evaluation import Evaluation
from gan.runs.callbacks.image_grid import ImageGrid
from gan.runs.callbacks.scalars import Scalars
from gan.runs.checkpoint import find_checkpoint, load
from gan.runs.trainer import NoProfiler
from gan.variants import VARIANTS

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
# Largest |loss - CPU's| / max(1, |CPU's|) of a first loss. Float32 is without TF32 there.
TOLERANCES = {"32-true": 1e-4, "bf16-mixed": 2e-2, "16-mixed": 2e-2}
NEAR = 1e-2  # largest difference of a weight where some operation has no deterministic algorithm
GREY_LEVELS = 0.5  # largest mean difference of images between devices, of 255; convolutions may use TF32
FID_SHARE = 1e-2  # largest relative difference of their Fréchet distances
SMALL_SCALE = 256.0  # of 16-mixed in `losses`: the default 65,536 may skip the first update


class FailError(Exception):
    """What is not as it should be, with the figures that show it."""

    def __init__(self, message: str, figures: dict[str, Any]) -> None:
        super().__init__(message)
        self.figures = figures


class NotApplicableError(Exception):
    """Why this device cannot show it."""


class CutError(Exception):
    """The time of the part is over."""


class Job(NamedTuple):
    """A row to be: `run` returns its figures. `refused` says that the docs promise a refusal instead."""

    variant: str
    precision: str
    run: Callable[[], dict[str, Any]]
    refused: bool = False


class Check:
    """Where, what and until when: what all parts share."""

    def __init__(self, device: str, quick: bool, data_root: str | None, variants: list[str], folder: Path) -> None:
        self.device, self.quick, self.data_root, self.variants, self.folder = device, quick, data_root, variants, folder
        self.deadline = math.inf
        self.data = ImageDataModule("mnist", root=data_root or "data", source="idx" if data_root else "embedded")
        self.data.setup()
        self.memo: dict[str, Any] = {}  # what several rows need, made once

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What was made under this key, or what `make` makes now."""
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]

    def steps(self, full: int, quick: int) -> int:
        """A number of updates."""
        return quick if self.quick else full

    def jobs(self, function: Callable[..., dict[str, Any]], precisions: tuple[str, ...]) -> Iterator[Job]:
        """`function(check, variant, precision)` for each."""
        for variant in self.variants:
            for precision in precisions:
                run = partial(function, self, variant, precision)
                if self.device == "cpu" and precision == "16-mixed":
                    run = partial(_not_applicable, "cpu: Lightning runs bf16-mixed instead")
                    yield Job(variant, precision, run)
                else:
                    yield Job(variant, precision, run, refused(VARIANTS[variant].defaults, precision))


def _not_applicable(reason: str) -> dict[str, Any]:
    raise NotApplicableError(reason)


def refused(recipe: Recipe, precision: str) -> bool:
    """Whether the docs say that this recipe does not train in this precision."""
    counts = "tensorflow_adam" in str((recipe.generator_optimizer, recipe.discriminator_optimizer))
    return precision == "16-mixed" and (counts or recipe.updates == "simultaneous")


def plain(value: Any) -> Any:
    """Values as JSON has them: numbers that are not finite become None."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# What every part does ---------------------------------------------------------------------------------------------


def shrunk(choice: dict[str, Any]) -> dict[str, Any]:
    """A network's widths or channels divided by 16, four at least."""
    return {key: [max(4, n // 16) for n in choice[key]] for key in ("widths", "channels") if key in choice}


def make(check: Check, variant: str, seed: int = 1) -> AdversarialModule:
    """A variant with its own recipe, or a tiny one if quick; made on the CPU, so with the same weights everywhere."""
    torch.manual_seed(seed)
    return VARIANTS[variant](VARIANTS[variant].defaults.merged(change(check, variant)))


def change(check: Check, variant: str) -> dict[str, Any]:
    """What makes a recipe tiny, if quick."""
    if not check.quick:
        return {}
    recipe = VARIANTS[variant].defaults
    return {"batch_size": 8, **{player: shrunk(getattr(recipe, player)) for player in ("generator", "discriminator")}}


def train(check: Check, module: AdversarialModule, steps: int, *callbacks: pl.Callback, **settings: Any) -> pl.Trainer:
    """Train up to update `steps` with a bare trainer, on the device of the check unless the settings name one."""
    device, ckpt_path = settings.pop("device", check.device), settings.pop("ckpt_path", None)
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger"), False)
    trainer = pl.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        callbacks=list(callbacks),
        profiler=NoProfiler(),
        **{"default_root_dir": check.folder, **quiet, **settings},
    )
    trainer.fit(module, datamodule=check.data, ckpt_path=ckpt_path, weights_only=True)
    return trainer


class Watch(pl.Callback):
    """Keeps the losses of every step on their device, and times the steps after `warm_up` updates."""

    def __init__(self, warm_up: int = 0) -> None:
        self.warm_up = warm_up
        self.losses: dict[str, list[Tensor]] = {"loss/discriminator": [], "loss/generator": []}
        self.first_step, self.start, self.seconds = 0, math.nan, math.nan

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        for name, values in self.losses.items():
            values += [outputs["scalars"][name]] if name in outputs["scalars"] else []
        if math.isnan(self.start) and trainer.global_step >= self.warm_up:
            synchronise(pl_module.device)
            self.first_step, self.start = trainer.global_step, time.perf_counter()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        synchronise(pl_module.device)
        self.seconds = time.perf_counter() - self.start


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def finite(tensors: Iterator[Tensor] | list[Tensor]) -> bool:
    """Whether all their numbers are."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors if tensor.is_floating_point())


@contextlib.contextmanager
def deterministic(warn_only: bool = False) -> Iterator[None]:
    """Only deterministic algorithms inside; RuntimeError, or a warning, where there is none."""
    torch.use_deterministic_algorithms(True, warn_only=warn_only)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


# The parts ---------------------------------------------------------------------------------------------------------


def train_part(check: Check, variant: str, precision: str) -> dict[str, Any]:
    """50 updates: finite, and how fast."""
    if check.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    module, watch = make(check, variant), Watch(warm_up=check.steps(10, 1))
    trainer = train(check, module, check.steps(50, 4), watch, precision=precision)
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    figures = {
        "steps": trainer.global_step,
        "steps_per_second": (trainer.global_step - watch.first_step) / watch.seconds,
        "last_losses": {name: float(values[-1]) for name, values in watch.losses.items()},
        "loss_scale": scaler.get_scale() if scaler else None,
        "peak_mib": torch.cuda.max_memory_allocated() // 2**20 if check.device == "cuda" else None,
    }
    for name, values in watch.losses.items():
        if not finite(values):
            raise FailError(f"{name} is not finite", figures)
    if not finite(list(module.state_dict().values())):
        raise FailError("a weight is not finite", figures)
    return figures


class HandedIn(pl.Callback):
    """Latents, dropout masks and all other noise from generators on the CPU, so that every device gets the same."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        streams = pl_module.streams
        streams.noise, streams.dropout = (stream(f"gpu check: {name}", 1) for name in ("noise", "masks"))
        streams.hand_to(pl_module)
        recipe, device = pl_module.recipe, pl_module.device
        pl_module.draw = lambda num: pl_module.prior((num, recipe.latent_dim), streams.noise).to(device)


def first_losses(check: Check, variant: str, precision: str, device: str) -> dict[str, float]:
    """The first loss of each network, with everything random handed in."""
    plugin: dict[str, Any] = {"precision": precision}
    if precision == "16-mixed":
        plugin = {"plugins": MixedPrecision(precision, device, torch.amp.GradScaler(device, init_scale=SMALL_SCALE))}
    watch = Watch()
    with exact_float32():
        train(check, make(check, variant), 1, HandedIn(), watch, device=device, **plugin)
    return {name: float(values[0]) for name, values in watch.losses.items()}


def losses_part(check: Check, variant: str, precision: str) -> dict[str, Any]:
    """First losses against the CPU's in 32-true."""
    cpu = check.once(f"losses {variant}", lambda: first_losses(check, variant, "32-true", "cpu"))
    here = first_losses(check, variant, precision, check.device)
    difference = max(abs(here[name] - cpu[name]) / max(1.0, abs(cpu[name])) for name in cpu)
    figures = {"cpu": cpu, "here": here, "difference": difference, "tolerance": TOLERANCES[precision]}
    if not difference <= TOLERANCES[precision]:  # NaN, too
        raise FailError(f"differs by {difference:.2g}, allowed {TOLERANCES[precision]:.0e}", figures)
    return figures


def resume_part(check: Check, variant: str, precision: str) -> dict[str, Any]:
    """Bit for bit with deterministic algorithms; near where an operation has none."""
    try:
        with deterministic():
            figures = resumed(check, variant, precision)
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        with deterministic(warn_only=True):
            figures = resumed(check, variant, precision)
        figures["message"] = f"not deterministic: {str(error).split(' does not have')[0][:120]}"
    if not figures["difference"] <= (NEAR if "message" in figures else 0.0):
        raise FailError(f"differs by {figures['difference']:.2g} from the straight run", figures)
    return figures


def resumed(check: Check, variant: str, precision: str) -> dict[str, Any]:
    """The largest difference of a weight between 6 updates and 3 + 3."""
    path, straight = check.folder / "half.ckpt", make(check, variant)
    train(check, straight, 6, precision=precision)
    train(check, make(check, variant), 3, precision=precision).save_checkpoint(path)
    fresh = make(check, variant, seed=2)  # other weights and another random state, as in a new process
    train(check, fresh, 6, ckpt_path=path, precision=precision)
    a, b = straight.state_dict(), fresh.state_dict()
    if not finite(list(a.values())):
        raise FailError("a weight of the straight run is not finite", {})
    return {"difference": max(float((a[name].double() - b[name].double()).abs().max()) for name in a)}


def outputs_part(check: Check, variant: str, precision: str) -> dict[str, Any]:
    """What a run writes on the device, and what a CPU reads of it."""
    folder, steps, few = check.folder / variant, check.steps(10, 2), check.once("few", lambda: _few(check))
    evaluation = Evaluation(every_n_steps=steps, num_samples=check.steps(1000, 100), data=few)
    files = Checkpoints(every_n_steps=0, milestones=[steps])
    callbacks = [Scalars(max(1, steps // 2)), ImageGrid(every_n_steps=steps, num_images=20), evaluation, files]
    logger = TensorBoardLogger(str(folder), name="", version="")
    module, settings = make(check, variant), {"precision": precision, "enable_checkpointing": True, "logger": logger}
    train(check, module, steps, *callbacks, default_root_dir=folder, **settings)
    drawn = module.sampler().sample(64)
    differences = []
    for file in (find_checkpoint(folder), next((folder / "checkpoints").glob("*.safetensors"))):
        sampler = load(file)
        differences.append((sampler.sample(64).float() - drawn.float()).abs())
    measure = check.once("cpu", lambda: Measurement(few, "selection", evaluation.num_samples, trained_on=few.train))
    here, cpu = evaluation.rows[-1]["fid"], measure(sampler)[0]["fid"]
    figures = {
        "fid": here,
        "fid_on_cpu": cpu,
        "mean_grey_levels": max(float(difference.mean()) for difference in differences),
        "largest_grey_levels": max(float(difference.max()) for difference in differences),
        "report": evaluation.report["fid"] if evaluation.report else None,
    }
    if not abs(here - cpu) <= FID_SHARE * cpu:
        raise FailError(f"FID {here:.4g} here, {cpu:.4g} on a CPU", figures)
    if not figures["mean_grey_levels"] <= GREY_LEVELS:
        raise FailError(f"images differ by {figures['mean_grey_levels']:.2g} grey levels on average", figures)
    return figures


def _few(check: Check) -> LoadedData:
    """Some of each part's images: the distance itself means little here, only that devices agree on it."""
    loaded, count = check.data.loaded, check.steps(2000, 200)
    cut = {name: getattr(loaded, name) for name in ("train", "held_out", "test")}
    return dataclasses.replace(loaded, **{n: Split(s.images[:count], s.labels[:count]) for n, s in cut.items()})


def syncs_part(check: Check, variant: str, precision: str) -> dict[str, Any]:
    """Waits of the host in 10 batches after a warm-up; those of the scaler of 16-mixed are its own."""
    if check.device == "cpu":
        raise NotApplicableError("cpu: not applicable")
    module = make(check, variant)
    batches = count_syncs(module)
    train(check, module, check.steps(15, 4), precision=precision)
    counted = batches[-10:]
    places = Counter(place for batch in counted for place in batch)
    own = sum(count for place, count in places.items() if not place.startswith("grad_scaler.py"))
    figures = {"batches": len(counted), "per_batch": sum(map(len, counted)) / len(counted), "places": dict(places)}
    if own:
        raise FailError(f"{own} waits in {len(counted)} batches, at {', '.join(places)}", figures)
    return figures


def count_syncs(module: AdversarialModule) -> list[list[str]]:
    """From now on, the file and line of every wait inside the step, a list for each batch."""
    step, batches = module.training_step, []

    def watched(batch: Any, batch_idx: int) -> Any:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                return step(batch, batch_idx)
            finally:
                torch.cuda.set_sync_debug_mode("default")
                waits = [w for w in caught if "synchronizing CUDA operation" in str(w.message)]
                batches.append([f"{Path(w.filename).name}:{w.lineno}" for w in waits])

    module.training_step = watched  # type: ignore[method-assign]
    return batches


# Several processes -------------------------------------------------------------------------------------------------


def one_process_part(check: Check, variant: str, precision: str) -> dict[str, Any]:
    """DDP with one process against a run without it: the same weights, bit for bit."""
    backend = "nccl" if check.device == "cuda" else "gloo"
    together = trained_together(check, variant, backend, 1)
    alone = make(check, variant)
    with deterministic(warn_only=True):
        train(check, alone, check.steps(5, 2))
    figures = {"backend": backend, **together, "without_ddp": digest(*alone.parameters())}
    if not together["finite"]:
        raise FailError("a weight is not finite", figures)
    if figures["weights"] != figures["without_ddp"]:
        raise FailError("other weights than without DDP", figures)
    return figures


def trained_together(check: Check, variant: str, backend: str, world: int) -> dict[str, Any]:
    """What one of `world` processes has at the end: digests of its weights, its last latent and its last batch."""
    strategy = DDPStrategy(process_group_backend=backend, find_unused_parameters=True)
    module, last = make(check, variant), LastBatch()
    try:
        with deterministic(warn_only=True):
            train(check, module, check.steps(5, 2), last, strategy=strategy, num_nodes=world)
    finally:
        if world == 1 and torch.distributed.is_initialized():  # other parts go on without one
            torch.distributed.destroy_process_group()
    return {
        "weights": digest(*module.parameters()),
        "latent": digest(module.round.latent),
        "images": digest(last.images),
        "finite": finite(list(module.parameters())),
    }


class LastBatch(pl.Callback):
    """Keeps the images of the last batch."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.images = batch[0]


def digest(*tensors: Tensor) -> str:
    """A sha256 of all their numbers, shortened."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
