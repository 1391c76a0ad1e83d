"""Train the classifier in whose features every distance on one data set is measured.

    python scripts/train_evaluator.py --data-root DIR --out gan/measure/weights/mnist_v1.safetensors
    python scripts/train_evaluator.py --data glyphs --out gan/measure/weights/glyphs_v1.safetensors --augment 1.0

About 6 minutes for MNIST on two cores, a few for the small sets on one; docs/metrics.md has the flags behind each
shipped file. DIR holds the files of the data set; nothing is downloaded. It sees all 60,000 training images of MNIST,
the `train` part of any other set's default split; the test images are read once, after the last update, for the
accuracy that is printed. The strength of augmentation was chosen with `--hold-out`. Same seed, threads, kind of
processor and torch: same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from argparse import Namespace
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from gan.base.errors import UserError
from gan.data.dataset import DATASETS, Dataset, LoadedData
from gan.measure.extractors import ImageClassifier


class TrainableClassifier(nn.Module):
    """The classifier with batch norm behind every layer of its body and dropout before its head."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        plain = ImageClassifier()
        layers: list[nn.Module] = []
        for layer in plain.body:
            layers.append(layer)
            if isinstance(layer, nn.Conv2d):
                layers.append(nn.BatchNorm2d(layer.out_channels))
            elif isinstance(layer, nn.Linear):
                layers.append(nn.BatchNorm1d(layer.out_features))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = plain.head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.dropout(self.body(images)))

    def folded(self) -> ImageClassifier:
        """The same function of its input in eval mode, without batch norm."""
        self.eval()
        layers: list[nn.Module] = []
        for layer in self.body:
            if isinstance(layer, nn.BatchNorm2d):
                layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
            elif isinstance(layer, nn.BatchNorm1d):
                layers[-1] = fuse_linear_bn_eval(layers[-1], layer)
            else:
                layers.append(layer)
        plain = ImageClassifier()
        plain.body, plain.head = nn.Sequential(*layers), self.head
        return plain.to(memory_format=torch.contiguous_format)


def augment(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """A random affine map and a smooth elastic one, for each image its own. (N, 1, 28, 28) in [0, 1] -> the same."""
    count, size = len(images), images.shape[-1]

    def uniform(bound: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * bound * strength

    angle, shear = uniform(0.22), uniform(0.2)  # radians: 12.6 degrees; x moves by a fifth of y
    scale_x, scale_y = 1 + uniform(0.15), 1 + uniform(0.15)
    shift_x, shift_y = uniform(5 / size), uniform(5 / size)  # 2.5 pixels; the image spans [-1, 1]
    cos, sin = angle.cos(), angle.sin()
    row_x = torch.stack([cos * scale_x, (shear * cos - sin) * scale_y, shift_x], dim=1)
    row_y = torch.stack([sin * scale_x, (shear * sin + cos) * scale_y, shift_y], dim=1)
    grid = F.affine_grid(torch.stack([row_x, row_y], dim=1), list(images.shape), align_corners=False)
    bend = torch.randn(count, 2, 6, 6, generator=generator) * (2.2 / size) * strength  # 1.1 pixels at 6x6 knots
    bend = F.interpolate(bend, size=(size, size), mode="bilinear", align_corners=True)
    return F.grid_sample(images, grid + bend.permute(0, 2, 3, 1), align_corners=False)


def train(images: Tensor, labels: Tensor, args: Namespace) -> ImageClassifier:
    """The last weights after `args.epochs` passes over uint8 `images`: nothing is chosen on the way."""
    torch.manual_seed(args.seed)  # weights and dropout
    generator = torch.Generator().manual_seed(args.seed)  # order and augmentation
    network = TrainableClassifier(args.dropout).to(memory_format=torch.channels_last)
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": args.weight_decay},
        {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=args.lr, momentum=0.9, nesterov=True)
    steps = len(images) // args.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=args.lr, total_steps=steps * args.epochs, pct_start=0.15, cycle_momentum=False
    )
    started = time.perf_counter()
    for epoch in range(args.epochs):
        total = torch.zeros(())
        order = torch.randperm(len(images), generator=generator)[: steps * args.batch]
        for index in order.split(args.batch):
            batch = augment(images[index].float() / 255, args.augment, generator)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = network(batch.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), labels[index])  # no label smoothing: confidences are read later
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        print(f"epoch {epoch + 1:2d}  loss {total / steps:.4f}  {time.perf_counter() - started:.0f} s", flush=True)
    return network.folded()


def accuracy(classifier: ImageClassifier, images: Tensor, labels: Tensor) -> float:
    """The share of uint8 images that it names rightly, in float32."""
    right = sum(
        int((classifier(some)[1].argmax(dim=1) == names).sum())
        for some, names in zip(images.split(500), labels.split(500), strict=True)
    )
    return right / len(images)


def with_header(content: bytes, header: dict[str, str]) -> bytes:
    """A safetensors file with `header` as its metadata, in this order; the library's own order is random."""
    size = int.from_bytes(content[:8], "little")
    entries = {"__metadata__": header, **json.loads(content[8 : 8 + size])}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def load(dataset: Dataset, root: Path | None, hold_out: bool) -> LoadedData:
    """The images from files or fonts, never the default that stands in for them."""
    source = next(name for name in dataset.sources if name != "auto")
    all_of_mnist = dataset.name == "mnist" and not hold_out
    loaded = dataset.load(root or Path(), source, "full" if all_of_mnist else dataset.splits[0])
    if loaded.name != dataset.name:
        raise UserError(f"{dataset.name}: gave images of {loaded.name}; point --data-root at its own files")
    return loaded


def training_data(loaded: LoadedData) -> str:
    """What the file's header says of the images."""
    files = loaded.provenance["files"]
    if loaded.name == "mnist":
        files = {name: sha256 for name, sha256 in files.items() if "train" in name}
        return f"MNIST, all 60,000 training images, sha256 {json.dumps(files)}"
    origin = f"source {loaded.source}, split {loaded.provenance['split']}"
    return f"{loaded.name}, {len(loaded.train):,} training images, {origin}, sha256 {json.dumps(files)}"


def write(classifier: ImageClassifier, test_accuracy: float, loaded: LoadedData, args: Namespace) -> None:
    """The weights, with their origin in the file's header; prints the entry of `EVALUATORS` to paste."""
    name, version = args.out.stem.rsplit("_v", 1)
    values = {key: value for key, value in vars(args).items() if key not in ("data", "data_root", "out", "hold_out")}
    flags = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in values.items())
    data = f"--data {args.data} " * (args.data != "mnist") + "--data-root DIR " * (args.data_root is not None)
    header = {  # in the order of the first shipped file, MNIST's
        "test_accuracy": str(test_accuracy),
        "training_data": training_data(loaded),
        "torch": torch.__version__,
        "version": version,
        "name": name,
        "command": f"python scripts/train_evaluator.py {data}--out {args.out.name} {flags}",
    }
    content = with_header(safetensors.torch.save(classifier.state_dict()), header)
    args.out.write_bytes(content)
    record = {
        "name": name,
        "version": int(version),
        "file": args.out.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "test_accuracy": test_accuracy,
        "data_set": args.data,
    }
    print(f"{args.out}: {len(content):,} bytes\n{json.dumps(record)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=sorted(DATASETS), default="mnist")
    parser.add_argument("--data-root", type=Path, help="folder of its files; glyphs needs none")
    parser.add_argument("--out", type=Path, help="NAME_vVERSION.safetensors; default: DATA_v1.safetensors")
    parser.add_argument("--hold-out", action="store_true", help="measure on the held-out images, write nothing")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--augment", type=float, default=0.65, help="strength; 0 is none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.out = args.out or Path(f"{args.data}_v1.safetensors")
    dataset: Dataset = DATASETS[args.data]()
    if dataset.image_shape != ImageClassifier.image_shape or len(dataset.class_names) != 10:
        parser.error(f"--data {args.data}: the classifier is one of 28x28 grey images in ten classes")
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)

    try:
        loaded = load(dataset, args.data_root, args.hold_out)
    except UserError as error:
        parser.error(str(error))
    classifier = train(loaded.train.images, loaded.train.labels, args)
    if args.hold_out:
        held_out = accuracy(classifier, loaded.held_out.images, loaded.held_out.labels)
        print(f"held-out accuracy {held_out:.4f} of {len(loaded.held_out):,}")
        return
    test_accuracy = accuracy(classifier, loaded.test.images, loaded.test.labels)
    print(f"test accuracy {test_accuracy:.4f}")
    write(classifier, test_accuracy, loaded, args)


if __name__ == "__main__":
    main()
