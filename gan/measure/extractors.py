"""The feature extractors of every distance: small classifiers, one a kind of images, whose weights ship here.

Numbers compare only when they come from the same features. So an extractor is a file with a name, a version and a
sha256, and any other file is refused. `scripts/train_evaluator.py` makes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from gan.base.choices import nearest
from gan.base.errors import UserError
from gan.data.split import LoadedData

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Evaluator:
    """A shipped extractor. A metric row has its name, version and sha256."""

    name: str
    version: int
    file: str  # in gan/measure/weights/
    sha256: str  # of the whole file
    test_accuracy: float  # on the data set's test images, in float32
    data_set: str  # whose training images it was trained on


EVALUATORS = {
    "mnist": Evaluator(
        name="mnist",
        version=1,
        file="mnist_v1.safetensors",
        sha256="2e6d85c5b0c5f9877f2a62146b24ea9aa814ecaf04e417b4b1e7093680ae93b6",
        test_accuracy=0.9959,
        data_set="mnist",
    ),
    "glyphs": Evaluator(
        name="glyphs",
        version=1,
        file="glyphs_v1.safetensors",
        sha256="2e8f7df50db0c4102b46a4697dc039e87d8e59d164fc2998e5acdd820fad0f35",
        test_accuracy=0.993,
        data_set="glyphs",
    ),
    "notmnist": Evaluator(
        name="notmnist",
        version=1,
        file="notmnist_v1.safetensors",
        sha256="fd0c211bd3befb76385d2886b15195eee15077e3bcb5d6d1f2e2d39463393153",
        test_accuracy=0.9467980295566503,
        data_set="notmnist",
    ),
}


class ImageClassifier(nn.Module):
    """28x28 grey images -> 128 non-negative features -> 10 logits; 13.7 MFLOP an image, 463,050 weights.

    Batch norm is folded into the layers, so that there is no training mode. The same images give the same features
    whatever `.train()`, autocast or the float32 precision flags say. Keep it outside of your module tree (in a plain
    object or a list), where no checkpoint and no optimizer finds it.
    """

    image_shape = (1, 28, 28)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1),  # (N, 16, 28, 28)
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=3, padding=1, stride=2),  # (N, 32, 14, 14)
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3, padding=1, stride=2),  # (N, 64, 7, 7)
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 128),
            nn.ReLU(),
        )
        self.head = nn.Linear(128, 10)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 images (N, 1, 28, 28) -> features (N, 128), logits (N, 10), both float32."""
        if images.dtype != torch.uint8 or images.shape[1:] != self.image_shape:
            raise UserError(
                f"the classifier reads uint8 images of shape (N, 1, 28, 28), not {images.dtype} "
                f"of shape {tuple(images.shape)}"
            )
        with torch.autocast(images.device.type, enabled=False), exact_float32():
            features = self.body(images.float() / 255)
            return features, self.head(features)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Within it, float32 matrices are multiplied in float32: not in TF32 or bfloat16, as "high" and "medium" allow.

    `torch.set_float32_matmul_precision("medium")` changes features even on a CPU, and cuDNN's convolutions use TF32
    by default. A metric must depend on neither (docs/gpu.md, row `outputs`).
    """
    backends: Any = torch.backends
    changes: list[tuple[Callable[[Any], None], Any, Any]]  # how to set, value before, value here
    if hasattr(backends.cuda.matmul, "fp32_precision"):  # torch >= 2.9
        places = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
        changes = [(partial(setattr, place, "fp32_precision"), place.fp32_precision, "ieee") for place in places]
    else:
        changes = [
            (torch.set_float32_matmul_precision, torch.get_float32_matmul_precision(), "highest"),
            (partial(setattr, backends.cudnn, "allow_tf32"), backends.cudnn.allow_tf32, False),
        ]
    try:
        for change, _, here in changes:
            change(here)
        yield
    finally:
        for change, before, _ in changes:
            change(before)


def evaluator_of(data: LoadedData) -> Evaluator | None:
    """The shipped extractor that a data set says its images belong to; None where it says none.

    The name of the set plays no part in this. Raises UserError for an unknown extractor, and for images of another
    shape or range than its own.
    """
    if data.evaluator is None:
        return None
    what = f"data set {data.name}: evaluator {data.evaluator!r}"
    if data.evaluator not in EVALUATORS:
        raise UserError(f"{what} is not among those that the package ships; {nearest(data.evaluator, EVALUATORS)}")
    images = data.test.images
    if images.shape[1:] != ImageClassifier.image_shape:
        raise UserError(f"{what} reads images of shape {ImageClassifier.image_shape}, not {tuple(images.shape[1:])}")
    if images.max() <= 1:
        raise UserError(f"{what} reads pixels from 0 to 255, these are from 0 to 1; multiply them by 255")
    return EVALUATORS[data.evaluator]


def not_measured(data: LoadedData) -> str:
    """Why nothing is measured where `evaluator_of` gives None, and how to change that."""
    return (
        f"no FID is measured: the data set {data.name} names no evaluator; if its images are like those of "
        f"{', '.join(EVALUATORS)}, name that one in its LoadedData, such as evaluator={next(iter(EVALUATORS))!r}"
    )


def load_classifier(name: str = "mnist") -> ImageClassifier:
    """The network of the extractor `EVALUATORS[name]`, frozen, on the CPU."""
    if name not in EVALUATORS:
        raise UserError(f"no evaluator {name!r}: the package ships {', '.join(EVALUATORS)}")
    evaluator = EVALUATORS[name]
    path = WEIGHTS / evaluator.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read the evaluator's weights ({error.strerror}): reinstall gan") from error
    found = hashlib.sha256(content).hexdigest()
    if found != evaluator.sha256:
        raise UserError(
            f"{path}: sha256 {found[:12]}..., not {evaluator.sha256[:12]}...: these are not the weights of "
            f"{evaluator.name} v{evaluator.version}, and numbers from others would not compare; reinstall gan"
        )
    with torch.random.fork_rng(devices=[]):  # its initial weights are thrown away
        classifier = ImageClassifier()
    classifier.load_state_dict(safetensors.torch.load(content))
    classifier = classifier.to(memory_format=torch.channels_last)  # 2.5 times as fast on a CPU
    return classifier.requires_grad_(False).eval()
