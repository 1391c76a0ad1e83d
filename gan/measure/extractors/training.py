"""Trains the small classifier in whose features images of a data set are compared."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from gan.data.split import Split
from gan.measure.extractors.classifier import ImageClassifier

EPOCHS, UPDATES = 30, 1500  # as many passes, but at least as many updates
BATCHES = (20, 200)  # images of a batch: a fiftieth of the set, within these bounds
RATE = 0.05 / 100  # learning rate of an image in the batch
MOMENTUM, WEIGHT_DECAY, DROPOUT, WARM_UP = 0.9, 5e-4, 0.2, 0.15
AUGMENTATION = 0.65  # chosen on held-out digits of MNIST


@dataclass(frozen=True)
class Schedule:
    """How long is trained."""

    batch: int
    epochs: int

    @classmethod
    def of(cls, num: int, epochs: int | None) -> "Schedule":
        """Return the schedule for `num` training images."""
        batch = max(2, min(num, max(BATCHES[0], min(BATCHES[1], num // 50))))
        return cls(batch, epochs or max(EPOCHS, -(-UPDATES // max(1, num // batch))))


class TrainableClassifier(nn.Module):
    """The classifier with batch norm behind every layer of its body and dropout before its head."""

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.shape = image_shape, num_classes
        plain = ImageClassifier(image_shape, num_classes)
        layers: list[nn.Module] = []
        for layer in plain.body:
            layers.append(layer)
            if isinstance(layer, nn.Conv2d):
                layers.append(nn.BatchNorm2d(layer.out_channels))
            elif isinstance(layer, nn.Linear):
                layers.append(nn.BatchNorm1d(layer.out_features))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = plain.head

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, S, S) in [0, 1] -> logits (N, K)."""
        return self.head(self.dropout(self.body(images)))

    def folded(self) -> ImageClassifier:
        """Return the same function of its input in evaluation mode, without batch norm."""
        self.eval()
        layers: list[nn.Module] = []
        for layer in self.body:
            if isinstance(layer, nn.BatchNorm2d):
                layers[-1] = fuse_conv_bn_eval(layers[-1], layer)  # type: ignore[type-var]
            elif isinstance(layer, nn.BatchNorm1d):
                layers[-1] = fuse_linear_bn_eval(layers[-1], layer)  # type: ignore[type-var]
            else:
                layers.append(layer)
        plain = ImageClassifier(*self.shape)
        plain.body, plain.head = nn.Sequential(*layers), self.head
        return plain.to(memory_format=torch.contiguous_format)


def augment(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """A random affine map and a smooth elastic one, for each image its own. (N, C, S, S) in [0, 1] -> the same."""
    count, size = len(images), images.shape[-1]

    def uniform(bound: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * bound * strength

    angle, shear = uniform(0.22), uniform(0.2)  # radians: 12.6 degrees; x moves by a fifth of y
    scale_x, scale_y = 1 + uniform(0.15), 1 + uniform(0.15)
    shift_x, shift_y = uniform(5 / 28), uniform(5 / 28)  # 2.5 of 28 pixels; the image spans [-1, 1]
    cos, sin = angle.cos(), angle.sin()
    row_x = torch.stack([cos * scale_x, (shear * cos - sin) * scale_y, shift_x], dim=1)
    row_y = torch.stack([sin * scale_x, (shear * sin + cos) * scale_y, shift_y], dim=1)
    grid = F.affine_grid(torch.stack([row_x, row_y], dim=1), list(images.shape), align_corners=False)
    bend = torch.randn(count, 2, 6, 6, generator=generator) * (2.2 / 28) * strength  # 1.1 of 28 pixels at 6x6 knots
    bend = F.interpolate(bend, size=(size, size), mode="bilinear", align_corners=True)
    return F.grid_sample(images, grid + bend.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def train(
    data: Split,
    num_classes: int,
    schedule: Schedule,
    strength: float = AUGMENTATION,
    seed: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> ImageClassifier:
    """Return the classifier with its last weights: nothing is chosen on the way.

    SGD with momentum and one cycle of the learning rate. Global random numbers are not touched.
    """
    shape: tuple[int, int, int] = tuple(data.images.shape[1:])  # type: ignore[assignment]
    generator = torch.Generator().manual_seed(seed)  # order and augmentation
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # weights and dropout
        network = TrainableClassifier(shape, num_classes).to(memory_format=torch.channels_last).train()
        groups = [
            {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ]
        rate = RATE * schedule.batch
        optimizer = torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM, nesterov=True)
        steps = len(data) // schedule.batch
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=rate, total_steps=steps * schedule.epochs, pct_start=WARM_UP, cycle_momentum=False
        )
        started = time.perf_counter()
        for epoch in range(schedule.epochs):
            total = torch.zeros(())
            order = torch.randperm(len(data), generator=generator)[: steps * schedule.batch]
            for index in order.split(schedule.batch):
                batch = augment(data.images[index].float() / 255, strength, generator)
                logits = network(batch.contiguous(memory_format=torch.channels_last))
                loss = F.cross_entropy(logits, data.labels[index])  # no label smoothing: confidences are read later
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                cycle.step()
                total += loss.detach()
            seconds = time.perf_counter() - started
            tell(f"epoch {epoch + 1} of {schedule.epochs}, loss {total / steps:.4f}, {seconds:.0f} s")
        return network.folded()


def accuracy(classifier: ImageClassifier, data: Split) -> float:
    """Return the share of images that it names rightly."""
    right = sum(
        int((classifier(images)[1].argmax(dim=1) == labels).sum())
        for images, labels in zip(data.images.split(500), data.labels.split(500), strict=True)
    )
    return right / len(data)
