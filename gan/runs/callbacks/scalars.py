"""Writes losses, D's outputs, gradient norms, scheduled values and speed, on the generator's clock."""

import time
import warnings
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.tensorboard._pytorch_graph import graph

from gan.base.errors import whole
from gan.base.images import pack
from gan.engine.game import AdversarialModule
from gan.engine.players import PLAYERS
from gan.engine.sampling import evaluating
from gan.runs.callbacks.clock import due, write

# Three charts: both losses; D(x) and D(G(z)), with the value that theory gives both at equilibrium; FID and its floor.
LAYOUT = {
    "gan": {
        "losses": ["Multiline", ["loss/discriminator$", "loss/generator$"]],
        "D(x) and D(G(z))": ["Multiline", ["probability/real$", "probability/fake$", "probability/equilibrium$"]],
        "FID and floor (held-out images)": ["Multiline", ["metric(_ema)?/fid$", "metric(_ema)?/fid_floor$"]],
    }
}

GRAPHS: dict[Any, Any] = {}  # kind of networks -> their graph as TensorBoard wants it
MOST_GRAPHS = 16


class Scalars(pl.Callback):
    """Writes means over the last `every_n_steps` generator updates.

    Gradient norms and scheduled values are those of the last update. Between two writings sums stay on the device, so
    that no step waits for it (docs/gpu.md: row `syncs` counts the waits of a step). A checkpoint holds the sums of the
    first process, which writes them, so that a resumed run's means are those of a run that was never stopped.

    Args:
        every_n_steps: generator updates between two writings; 0 turns them off, the charts' layout and the graph too.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        self.every_n_steps = whole(every_n_steps, "scalars.every_n_steps")
        self._restored: dict[str, Any] | None = None
        self._restart(0, 0)

    def _restart(self, step: int, images_seen: int) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._last_update: dict[str, Tensor | float] = {}
        self._start, self._start_step, self._start_images = time.perf_counter(), step, images_seen

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted since the last writing."""
        return {
            "sums": {tag: total.cpu() for tag, total in self._sums.items()},
            "counts": dict(self._counts),
            "last_update": {tag: float(value) for tag, value in self._last_update.items()},
            "start_step": self._start_step,
            "start_images": self._start_images,
            "seconds": time.perf_counter() - self._start,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what was counted before. It is set at the start, when the device is known."""
        self._restored = state_dict

    def _go_on(self, state: dict[str, Any], device: torch.device) -> None:
        self._sums = {tag: total.to(device) for tag, total in state["sums"].items()}
        self._counts, self._last_update = dict(state["counts"]), dict(state["last_update"])
        self._start, self._start_step = time.perf_counter() - state["seconds"], state["start_step"]
        self._start_images = state["start_images"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """In a new run, write the layout of the charts, if the logger is TensorBoard's."""
        assert isinstance(pl_module, AdversarialModule)
        self._restart(trainer.global_step, pl_module.images_seen)
        if self._restored is not None:
            self._go_on(self._restored, pl_module.device)
            self._restored = None
        new = self.every_n_steps and pl_module.images_seen == 0
        for logger in _tensorboards(trainer) if new else ():
            logger.experiment.add_custom_scalars(LAYOUT)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Keep the gradient norm and the scheduled values, if this update may be the last before they are written."""
        assert isinstance(pl_module, AdversarialModule)
        if not self.every_n_steps:
            return
        remaining = self.every_n_steps - trainer.global_step % self.every_n_steps  # G updates until the next writing
        if remaining > pl_module.recipe.g_steps:  # D's last update may be g_steps updates of G before the writing
            return
        player = PLAYERS[[o is optimizer for o in trainer.optimizers].index(True)]
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = self._norm(gradients)
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            norm = norm / scaler.get_scale()  # fused optimizers unscale in their step; for others Lightning has done it
        self._last_update[f"gradient_norm/{player}"] = norm
        group = optimizer.param_groups[0]
        self._last_update[f"schedule/lr_{player}"] = group["lr"]
        if "momentum" in group:
            self._last_update[f"schedule/momentum_{player}"] = group["momentum"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add to the sums, and write the means when they are due: the first time with the graph of the networks."""
        assert isinstance(pl_module, AdversarialModule)
        if not self.every_n_steps:
            return
        for tag, value in outputs["scalars"].items():
            self._sums[tag] = self._sums[tag] + value if tag in self._sums else value
            self._counts[tag] = self._counts.get(tag, 0) + 1
        if due(trainer, outputs, self.every_n_steps):
            self._write(trainer, pl_module)

    def _norm(self, gradients: list[Tensor]) -> Tensor:
        return torch.nn.utils.get_total_norm(gradients)

    def _write(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        """Write the means, and begin anew."""
        values = {tag: float(total) / self._counts[tag] for tag, total in self._sums.items()}
        values |= {tag: float(value) for tag, value in self._last_update.items()}
        seconds = time.perf_counter() - self._start
        values["throughput/steps_per_second"] = (trainer.global_step - self._start_step) / seconds
        values["throughput/images_per_second"] = (module.images_seen - self._start_images) / seconds
        values["probability/equilibrium"] = 0.5
        values["images_seen"] = module.images_seen
        write(trainer, values)
        for logger in _tensorboards(trainer) if self._start_step == 0 else ():
            _add_graph(logger, module)
        self._restart(trainer.global_step, module.images_seen)


def _tensorboards(trainer: pl.Trainer) -> list[TensorBoardLogger]:
    """Return the first process's loggers of TensorBoard; none in other processes."""
    return [x for x in trainer.loggers if isinstance(x, TensorBoardLogger)] if trainer.is_global_zero else []


class _Game(nn.Module):
    """D(G(z)) as one module, so that one graph shows both networks."""

    def __init__(self, module: AdversarialModule) -> None:
        super().__init__()
        self.generator, self.discriminator = module.generator, module.discriminator
        self.packing = module.recipe.packing

    def forward(self, latent: Tensor) -> Tensor:
        return self.discriminator(pack(self.generator(latent), self.packing))


def _add_graph(logger: TensorBoardLogger, module: AdversarialModule) -> None:
    """Write the graph of both networks. Each kind is traced once: PyTorch keeps megabytes of a trace for ever."""
    game = _Game(module)
    kind = module.recipe.digest, repr(game), *(tuple(weight.shape) for weight in game.parameters())
    if kind not in GRAPHS:
        if len(GRAPHS) == MOST_GRAPHS:
            GRAPHS.pop(next(iter(GRAPHS)))
        GRAPHS[kind] = _graph_of(game, module)
    logger.experiment._get_file_writer().add_graph(GRAPHS[kind])


def _graph_of(game: _Game, module: AdversarialModule) -> Any:
    latent = torch.zeros(2 * module.recipe.packing, module.recipe.latent_dim, device=module.device)
    with evaluating(game), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.trace")  # what traces
        # Layers with SAME padding compute with the sizes of maps. The graph holds for these sizes only.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        return graph(game, latent)
