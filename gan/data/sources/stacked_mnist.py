"""Stacked MNIST (Metz et al., 2017, arXiv:1611.02163): three digits as the colours of one image, 1,000 modes.

The counts and the rule are those of PacGAN's comparison with VEEGAN (Lin et al., 2018, arXiv:1712.04086; folder
stacked_MNIST_experiments/VEEGAN_experiment of github.com/fjxmlzn/PacGAN): 128,000 training images, each colour of each
an image of MNIST that is drawn with replacement, every image as likely as any other. What differs is in docs/data.md.
"""

from pathlib import Path

import torch

from gan.base.errors import whole
from gan.base.streams import stream
from gan.data.sources.mnist import MNIST
from gan.data.split import LoadedData, Split

COUNTS = {"held_out": 10_000, "test": 26_000}  # as many to test on as PacGAN judges samples
MAX_TRAIN = 900_000  # just below 2 GiB
VERSION = 1  # raise it with any change of what is drawn


class StackedMNIST:
    """28x28 images whose red, green and blue are three digits a, b and c of MNIST; the class is 100 a + 10 b + c.

    Each part is stacked from the digits of MNIST's part of the same name, so that no digit is in two parts. The first
    images do not depend on how many there are.

    Args:
        train: number of training images.
        seed: another number stacks other digits.
    """

    name = "stacked_mnist"
    image_shape = (3, 28, 28)
    class_names = tuple(f"{mode:03}" for mode in range(1000))
    sources, splits, elsewhere = MNIST.sources, MNIST.splits, MNIST.elsewhere
    root_is_given = False  # see Dataset

    def __init__(self, *, train: int = 128_000, seed: int = 0) -> None:
        self.counts = {"train": whole(train, "stacked_mnist: data.train", least=1, most=MAX_TRAIN), **COUNTS}
        self.seed = seed
        self.digits = MNIST()

    def prepare(self, root: Path, source: str) -> None:
        """Download MNIST's files if the source asks for them and they are not there."""
        self.digits.root_is_given = self.root_is_given
        self.digits.prepare(root, source)

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Read MNIST and stack its digits."""
        self.digits.root_is_given = self.root_is_given
        digits = self.digits.load(root, source, split)
        stacking = {"version": VERSION, "seed": self.seed, **self.counts}
        return LoadedData(
            self.name,
            digits.source,
            self._stacked(digits.train, "train"),
            self._stacked(digits.held_out, "held_out"),
            self._stacked(digits.test, "test"),
            split=split,
            files=digits.files,
            processing={f"stacking {word}": str(value) for word, value in stacking.items()},
            official=digits.official,
            held_out_is_trained_on=digits.held_out_is_trained_on,  # the digits, though hardly ever the same three
            evaluator="stacked_mnist",
            about={**digits.about, "digits": digits.counts, "stacking": {"version": VERSION, "seed": self.seed}},
        )

    def _stacked(self, digits: Split, part: str) -> Split:
        generator = stream(f"stacked_mnist, {part}", VERSION, self.seed)
        drawn = torch.randint(len(digits), (self.counts[part], 3), generator=generator)
        images = digits.images.squeeze(1)[drawn]  # (N, 3, 28, 28)
        labels = digits.labels[drawn] @ torch.tensor([100, 10, 1])
        return Split(images, labels)
