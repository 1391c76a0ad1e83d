"""Small classifiers as extractors: those that ship here, one a kind of images, and those that `gan evaluator` makes.

Numbers compare only when they come from the same features. So a classifier is a file with a name, a version and a
sha256, which stand in every row, and of those that ship any other file is refused.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.measure.extractors.extractor import Extractor, exact_float32

WEIGHTS = Path(__file__).parents[1] / "weights"
FEATURES = 128
SIDES = (28, 64)  # of the images, smallest and largest
SMALLEST_MAP = 8  # side of the last map, at most
MAX_CLASSES = 1000
MAX_BYTES = 64 * 2**20  # of a file of weights


@dataclass(frozen=True)
class Evaluator:
    """A shipped classifier. A metric row has its name, version and sha256."""

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
    """Grey or RGB images of 28 to 64 pixels -> 128 non-negative features -> K logits.

    For grey 28x28 images and ten classes it has 463,050 weights and takes 13.7 MFLOP an image. Batch norm is folded
    into the layers, so that there is no training mode. The same images give the same features whatever `.train()`,
    autocast or the float32 precision flags say. Keep it outside of your module tree, where no checkpoint and no
    optimizer finds it: in a plain object or a list.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), num_classes: int = 10) -> None:
        super().__init__()
        self.image_shape = image_shape
        channels, side = image_shape[0], image_shape[1]
        layers: list[nn.Module] = [
            nn.Conv2d(channels, 16, kernel_size=3, padding=1),  # (N, 16, S, S)
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=3, padding=1, stride=2),  # (N, 32, S / 2, S / 2)
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(),
        ]
        side = -(-side // 2)
        while side > SMALLEST_MAP:
            layers += [nn.Conv2d(64, 64, kernel_size=3, padding=1, stride=2), nn.ReLU()]  # halves the map
            side = -(-side // 2)
        layers += [nn.Flatten(), nn.Linear(64 * side * side, FEATURES), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, num_classes)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 images (N, C, S, S) -> features (N, 128), logits (N, K), both float32."""
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != self.image_shape:
            raise UserError(
                f"the classifier reads uint8 images of shape (N, {', '.join(map(str, self.image_shape))}), "
                f"not {images.dtype} of shape {tuple(images.shape)}"
            )
        with torch.autocast(images.device.type, enabled=False), exact_float32():
            features = self.body(images.float() / 255)
            return features, self.head(features)


def load_classifier(name: str = "mnist") -> ImageClassifier:
    """Return the network of the shipped classifier `EVALUATORS[name]`, frozen, on the CPU."""
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
    return _frozen(ImageClassifier, content)


def shipped(name: str) -> Extractor:
    """Return the extractor of a shipped classifier."""
    evaluator = EVALUATORS[name]
    return Extractor(
        name=evaluator.name,
        version=evaluator.version,
        sha256=evaluator.sha256,
        network=load_classifier(name),
        num_features=FEATURES,
        image_shape=(1, 28, 28),
        num_classes=10,
    )


class _OfEachColour(nn.Module):
    """MNIST's classifier on each colour of stacked digits: features of all three, and logits of the 1,000 triples."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = load_classifier("mnist")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 images (N, 3, 28, 28) -> features (N, 384), logarithms of probabilities (N, 1000)."""
        features, logits = self.classifier(images.flatten(0, 1)[:, None])  # (3 N, 128), (3 N, 10)
        first, second, third = logits.log_softmax(dim=1).unflatten(0, (-1, 3)).unbind(dim=1)  # (N, 10) each
        triples = first[:, :, None, None] + second[:, None, :, None] + third[:, None, None, :]
        return features.unflatten(0, (-1, 3)).flatten(1), triples.flatten(1)


def stacked_mnist() -> Extractor:
    """Return MNIST's classifier on each of three colours, whose class is 100 a + 10 b + c."""
    evaluator = EVALUATORS["mnist"]
    return Extractor(
        name="stacked_mnist",
        version=evaluator.version,
        sha256=evaluator.sha256,
        network=_OfEachColour(),
        num_features=3 * FEATURES,
        image_shape=(3, 28, 28),
        num_classes=1000,
    )


def classifier(*, file: str) -> Extractor:
    """Return the classifier in a file of `gan evaluator`. UserError for a file that is none."""
    path = absolute(file, "evaluation.extractor.file")
    header, content = read(path)
    shape = tuple(header["image_shape"])
    names = header["class_names"]

    def network() -> ImageClassifier:
        return ImageClassifier(shape, len(names))

    try:
        return Extractor(
            name=header["name"],
            version=header["version"],
            sha256=hashlib.sha256(content).hexdigest(),
            network=_frozen(network, content),
            num_features=FEATURES,
            image_shape=shape,
            num_classes=len(names),
        )
    except (RuntimeError, ValueError, KeyError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: does not hold the weights that it announces ({reason}); make it anew") from None


def read(path: Path) -> tuple[dict, bytes]:
    """Return the header of a file of `gan evaluator`, and its content. UserError for another file.

    The header has `name`, `version`, `image_shape` (C, S, S), `class_names`, `test_accuracy` and `data`.
    """
    kind = "not a classifier of gan evaluator"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: {kind} (larger than {MAX_BYTES:,} bytes)")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read the classifier ({error.strerror}); make it with gan evaluator") from None
    try:
        size = int.from_bytes(content[:8], "little")
        if not 2 <= size <= 2**20:
            raise ValueError("no header")
        header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["evaluator"])
        if not _is_sound(header):
            raise ValueError("fields that are missing or of another type")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: {kind} ({error}); make it with gan evaluator") from None
    return header, content


def _is_sound(header: object) -> bool:
    if not isinstance(header, dict):
        return False
    shape, names, version = header.get("image_shape"), header.get("class_names"), header.get("version")
    return (
        isinstance(header.get("name"), str)
        and isinstance(version, int)
        and isinstance(names, list)
        and 2 <= len(names) <= MAX_CLASSES
        and all(isinstance(name, str) for name in names)
        and readable(shape)
    )


def readable(image_shape: object) -> bool:
    """Return whether such a classifier can read images of (C, S, S): grey or RGB squares of 28 to 64 pixels."""
    if not (isinstance(image_shape, list | tuple) and len(image_shape) == 3):
        return False
    channels, height, width = image_shape
    return channels in (1, 3) and height == width and isinstance(height, int) and SIDES[0] <= height <= SIDES[1]


def _frozen(make: type[ImageClassifier] | object, content: bytes) -> ImageClassifier:
    """Return a network with the weights of a safetensors file, without gradients."""
    with torch.random.fork_rng(devices=[]):  # its initial weights are thrown away
        network: ImageClassifier = make()  # type: ignore[operator]
    network.load_state_dict(safetensors.torch.load(content))
    network = network.to(memory_format=torch.channels_last)  # 2.5 times as fast on a CPU
    return network.requires_grad_(False).eval()
