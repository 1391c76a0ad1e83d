"""The first batch of a trainer of one's own is checked, once."""

import pytest
import torch
from support import Digits, Replay, tiny, train

from gan.base.errors import UserError

LABELS = torch.arange(8)
FLOATS = torch.rand(8, 1, 28, 28)
NAN = FLOATS.masked_fill(torch.arange(28) == 3, torch.nan)


def start(variant, batch, **module):
    train(tiny(variant), 1, batches=Replay([batch] * 2), **module)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (FLOATS * 2 - 1, r"uint8, or floats in \[0, 1\].*float32 from -.* to .*without Normalize"),
        (FLOATS * 255, r"floats in \[0, 1\].*to 25"),
        (NAN, "from nan to nan"),
        (torch.zeros(8, 1, 28, 28).log(), "from -inf"),
        (torch.zeros(8, 1, 28, 28, dtype=torch.int64), r"uint8 or floats in \[0, 1\]; got a tensor .*int64"),
        (torch.zeros(8, 1, 32, 32), r"must be \(N, 1, 28, 28\).*got \(8, 1, 32, 32\)"),
        (torch.zeros(8, 3, 28, 28), r"got \(8, 3, 28, 28\)"),
        (torch.zeros(8, 784), r"got \(8, 784\)"),
        (torch.zeros(0, 1, 28, 28), "N > 0"),
        ("images", "got str"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_images_out_of_shape_or_range_are_one_line(images, says):
    with pytest.raises(UserError, match=says) as caught:
        start("MLPGAN", (images, None))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (None, "hold no labels"),
        (LABELS + 3, r"\(8,\) from 0 to 9; got 3 to 10.*num_classes"),
        (LABELS - 1, "got -1 to 6"),
        (LABELS.float(), "got a tensor .*float32"),
        (torch.eye(10)[LABELS], r"got a tensor \(8, 10\)"),
        (LABELS[:4], r"got a tensor \(4,\)"),
        ([0, 1], "got list of 2"),
    ],
)
def test_labels_that_are_no_classes_are_one_line(labels, says):
    with pytest.raises(UserError, match=says):
        start("ConditionalGAN", (FLOATS, labels))
    if not isinstance(labels, list):
        start("MLPGAN", (FLOATS, labels))  # which reads none


@pytest.mark.parametrize("batch", [FLOATS, [FLOATS], {"images": FLOATS}, (FLOATS, LABELS, LABELS)])
def test_what_is_no_pair_is_one_line(batch):
    with pytest.raises(UserError, match=r"must be \(images, labels\)"):
        start("MLPGAN", batch)


def test_what_the_docs_allow_is_taken():
    for images in (FLOATS, FLOATS.half(), FLOATS.double(), (FLOATS * 255).to(torch.uint8), FLOATS * 1.00001):
        for labels in (LABELS, LABELS.to(torch.uint8), LABELS.int()):
            start("ConditionalGAN", (images, labels))


def test_only_the_first_batch_is_looked_at_and_so_is_that_of_a_resumed_run(tmp_path):
    sound = list(Digits(8))
    odd = sound[0][0].float() / 255 * 3, None
    train(tiny("MLPGAN"), 2, batches=Replay([sound[0], odd])).save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"floats in \[0, 1\]"):
        train(tiny("MLPGAN"), 3, batches=Replay([odd]), ckpt_path=tmp_path / "a.ckpt")


@pytest.mark.parametrize("num", [0, -1, 2.5, True, "3"])
def test_a_number_of_images_that_is_none_is_one_line(num):
    for variant in ("MLPGAN", "ConditionalGAN"):
        with pytest.raises(UserError, match="num must be a whole number of at least 1"):
            tiny(variant).sampler().sample(num)
        with pytest.raises(UserError, match="rows must be a whole number of at least 1"):
            tiny(variant).sampler().interpolate(num)
