"""What `benchmark.py` measures, each in a process of its own: a bare loop, `gan fit`, the limit of the processor."""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import gan
from gan.base.images import pack, to_range
from gan.base.streams import Streams
from gan.data.batches import DeviceBatches
from gan.data.datamodule import ImageDataModule
from gan.engine.game import AdversarialModule
from gan.engine.look import Look
from gan.engine.sampling import in_inference
from gan.parts.networks.layers import batch_norms
from gan.runs.fit import configuration
from gan.runs.reader import read_run
from gan.variants import VARIANTS

Batch = tuple[Tensor, Tensor]
Product = tuple[int, int, int, torch.dtype]  # rows, inner size, columns of a product of matrices


def configured(system: str) -> tuple[type[AdversarialModule], dict[str, Any]]:
    """Return the class and the recipe of a variant, or of a configuration such as `quickstart`."""
    if system in VARIANTS:
        return VARIANTS[system], VARIANTS[system].defaults.to_dict()
    model = configuration(system)["model"]
    return VARIANTS[model["class_path"].rpartition(".")[2]], model["init_args"]["recipe"]


class Bare:
    """A loop of the same calls as the game's, in plain PyTorch: no trainer, no callbacks, no logs."""

    def __init__(self, module: AdversarialModule, batches: Iterator[Batch], precision: str = "32-true") -> None:
        self.module, self.batches, self.recipe, self.precision = module, batches, module.recipe, precision
        module.streams = Streams(module.seeds, 0, torch.device("cpu"))
        module.streams.hand_to(module)
        self.optimizers = dict(zip(module.players, module.configure_optimizers()[0], strict=True))
        moving, inference = self.recipe.frozen_batch_norm == "moving", self.recipe.fakes == "inference"
        self.frozen = batch_norms(module.discriminator) if moving else []
        self.predicting = list(module.generator.modules()) if inference else []
        self.clock = 0

    @classmethod
    def of(cls, system: str, precision: str, data: dict[str, str]) -> "Bare":
        """Return the loop of a new system on these images."""
        variant, recipe = configured(system)
        images = ImageDataModule(**data)
        images.setup()
        torch.manual_seed(1)
        module = variant(recipe, images.image_shape, images.num_classes)
        batches = DeviceBatches(images.loaded.train, module.recipe.batch_size, module.seeds.order, "cpu")
        return cls(module, chain.from_iterable(repeat(batches)), precision)

    def step(self) -> None:
        """Do an update of G and the updates of D that go before it."""
        recipe, module = self.recipe, self.module
        latent, fake = None, None
        for position in range(recipe.d_steps + recipe.g_steps - 1):
            images, labels = next(self.batches)
            real = to_range(images, module.real_range)
            if position < recipe.d_steps:
                latent = module.draw(len(real))
                ready = position >= recipe.d_steps - 1 and recipe.latent == "shared" and recipe.fakes == "training"
                with torch.set_grad_enabled(ready), in_inference(self.predicting), self._autocast():
                    fake = module.generator(latent, labels)
                self._update_discriminator(self._look(real, fake.detach(), labels, latent))
            if position >= recipe.d_steps - 1:
                self._update_generator(real, fake, labels, latent)
        if recipe.updates == "simultaneous":
            self._step("discriminator")
            self._step("generator")
        self.clock += 1

    def _update_discriminator(self, look: Look) -> None:
        seen = look.seen_real, look.seen_fake
        if self.recipe.discriminator_update == "joint":
            with self._autocast():
                loss = self.module.discriminator_loss(look).loss
            self._descend("discriminator", loss, *seen, look.labels)
            return
        for half, images in zip(self.module.loss.halves, seen, strict=True):
            with self._autocast():
                loss = half(self.module.judge(images, look.labels)[:, :1])
            self._descend("discriminator", loss, *seen, look.labels)

    def _update_generator(self, real: Tensor, fake: Tensor | None, labels: Tensor, latent: Tensor | None) -> None:
        module, discriminator = self.module, self.module.players["discriminator"]
        for parameter in discriminator.parameters():
            parameter.requires_grad_(False)
        with in_inference(self.frozen), self._autocast():
            if self.recipe.latent == "fresh" or latent is None:
                latent = module.draw(len(real))
            fake = fake if fake is not None and fake.requires_grad else module.generator(latent, labels)
            loss = module.generator_loss(self._look(real, fake, labels, latent))
        self._descend("generator", loss, real, fake, labels)
        for parameter in discriminator.parameters():
            parameter.requires_grad_(True)

    def _look(self, real: Tensor, fake: Tensor, labels: Tensor, latent: Tensor) -> Look:
        return Look(real, fake, labels, latent, lambda images: pack(self.module.augment(images), self.recipe.packing))

    def _autocast(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16-mixed", cache_enabled=False)

    def _descend(self, name: str, loss: Tensor, real: Tensor, fake: Tensor, labels: Tensor) -> None:
        """Add penalties, take gradients, and do a step unless both players do theirs together."""
        player, optimizer, noise = self.module.players[name], self.optimizers[name], self.module.streams.noise
        with self._autocast():
            loss = player.penalised(loss, real, fake, labels, noise, self.clock)
        optimizer.zero_grad()
        loss.backward()
        if self.recipe.updates != "simultaneous":
            self._step(name)

    def _step(self, name: str) -> None:
        """Do a step of an optimizer, with all that belongs to it."""
        player, optimizer = self.module.players[name], self.optimizers[name]
        player.follow_schedules(optimizer, self.clock)
        optimizer.step()
        player.updates += 1
        if name == "generator" and player.averages:
            player.move_averages(self.recipe.number("ema_decay", self.clock))
        if name == "discriminator" and (bound := self.recipe.number("weight_clip", self.clock)):
            player.clip(bound)


def bare(system: str, precision: str, data: dict[str, str], seconds: float) -> float:
    """Return the median milliseconds of a step of the bare loop."""
    loop = Bare.of(system, precision, data)
    loop.step()
    return median_ms(loop.step, seconds)


def fit(system: str, precision: str, data: dict[str, str], window: int, points: int) -> float:
    """Return the median milliseconds of a step of `gan fit`, from its own curve of the speed.

    A point of the curve is the mean of `window` steps. The first of the points is left out.
    """
    given: dict[str, Any] = {"model": system} if system in VARIANTS else {"config": system}
    off = {section: {"every_n_steps": 0} for section in ("evaluation", "image_grid", "checkpoints")}
    trainer = {"max_steps": window * (points + 1), "precision": precision, "accelerator": "cpu"}
    trainer |= {"enable_progress_bar": False}
    with tempfile.TemporaryDirectory() as directory:
        run = f"{directory}/run"
        gan.fit(**given, data=data, trainer=trainer, scalars={"every_n_steps": window}, run=run, **off)
        speeds = list(read_run(run).scalars()["throughput/steps_per_second"].values())
    return 1e3 / statistics.median(speeds[1:])


def median_ms(call: Callable[[], object], seconds: float, least: int = 3) -> float:
    """Return the median milliseconds of a call, over so many seconds of calls."""
    times: list[float] = []
    while sum(times) < seconds or len(times) < least:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


# The limit ---


class Products(TorchDispatchMode):
    """Counts the products of matrices that are computed within it. A convolution is counted as the product that it is.

    Elementwise work is not counted. It is less than 2 % of the operations of a step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[Product] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("mm", "addmm", "bmm", "baddbmm"):
            a, b = args[-2:] if name in ("mm", "bmm") else args[1:3]
            self._count(a.shape[-2], a.shape[-1], b.shape[-1], a.dtype, prod(a.shape[:-2]))
        elif name == "convolution":
            images, weight, transposed, groups = args[0], args[1], args[6], args[8]
            self._convolution(images if transposed else result, weight, transposed, groups, ["forward"])
        elif name == "convolution_backward":
            grad, images, weight, transposed, groups, wanted = *args[:3], args[7], args[9], args[10]
            kinds = [kind for kind, needed in zip(("images", "weight"), wanted, strict=False) if needed]
            self._convolution(images if transposed else grad, weight, transposed, groups, kinds)
        return result

    def _convolution(self, small: Tensor, weight: Tensor, transposed: bool, groups: int, kinds: list[str]) -> None:
        """Count a convolution whose smaller map is `small` (N, C, H, W). Its weights meet each pixel of that map."""
        pixels = len(small) * prod(small.shape[2:])
        outer, inner = weight.shape[0] // groups, prod(weight.shape[1:])  # channels of `small`; of the windows
        for kind in kinds:
            gathers = (kind == "images") == transposed  # from windows to pixels, as a convolution's forward pass does
            sizes = (outer, pixels, inner) if kind == "weight" else (pixels, inner, outer)
            if kind != "weight" and not gathers:
                sizes = (pixels, outer, inner)
            self._count(*sizes, weight.dtype, groups)

    def _count(self, rows: int, inner: int, columns: int, dtype: torch.dtype, times: int) -> None:
        self.counts[rows, inner, columns, dtype] += times

    @property
    def flop(self) -> int:
        """Number of operations: a multiplication and an addition for each pair of numbers that meet."""
        return sum(2 * rows * inner * columns * times for (rows, inner, columns, _), times in self.counts.items())


def limit(system: str, precision: str, data: dict[str, str]) -> dict[str, float]:
    """Return the GFLOP of a step, and the milliseconds that its products of matrices take when nothing else is done."""
    loop = Bare.of(system, precision, data)
    loop.step()
    with Products() as products:
        loop.step()
    total = 0.0
    for (rows, inner, columns, dtype), times in products.counts.items():
        a, b = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
        torch.mm(a, b)
        total += times * median_ms(lambda a=a, b=b: torch.mm(a, b), 0.03)  # type: ignore[misc]
    return {"gflop": products.flop / 1e9, "limit_ms": total}
