"""The shipped classifiers: the right file, the stated accuracy, the same features whatever surrounds it."""

import hashlib
import shutil
from pathlib import Path

import pytest
import safetensors
import torch

from gan.base.errors import UserError
from gan.data.sources.glyphs import glyphs
from gan.data.sources.mnist import MNIST
from gan.data.sources.notmnist.notmnist import NotMNIST
from gan.measure.extractors import classifier as features
from gan.measure.extractors.classifier import EVALUATORS, WEIGHTS, load_classifier


@pytest.fixture(scope="module")
def classifier():
    return load_classifier()


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (64, 1, 28, 28), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("name", EVALUATORS)
def test_shipped_file_is_the_recorded_one(name):
    evaluator = EVALUATORS[name]
    content = (WEIGHTS / evaluator.file).read_bytes()
    assert len(content) < 2_000_000
    assert hashlib.sha256(content).hexdigest() == evaluator.sha256
    with safetensors.safe_open(WEIGHTS / evaluator.file, framework="pt") as file:
        header = file.metadata()
    assert (header["name"], header["version"]) == (evaluator.name, str(evaluator.version))
    assert float(header["test_accuracy"]) == evaluator.test_accuracy
    assert "train_evaluator.py" in header["command"]
    assert header["training_data"]


def accuracy(name, test):
    classifier = load_classifier(name)
    right = sum(
        int((classifier(images)[1].argmax(dim=1) == labels).sum())
        for images, labels in zip(test.images.split(500), test.labels.split(500), strict=True)
    )
    return right / len(test)


def test_accuracy_on_mnists_test_images(mnist_root):
    test = MNIST().load(mnist_root, "idx", split="full").test
    assert len(test) == 10_000
    found = accuracy("mnist", test)
    assert found >= 0.994
    assert found == pytest.approx(EVALUATORS["mnist"].test_accuracy, abs=2e-4)


def test_accuracy_on_glyphs_of_unseen_families(tmp_path, monkeypatch):
    monkeypatch.setattr(glyphs, "COUNTS", glyphs.COUNTS | {"train": 1, "held_out": 1})  # the test images alone
    test = glyphs.Glyphs().load(tmp_path, "matplotlib", "family").test
    found = accuracy("glyphs", test)
    assert found == pytest.approx(EVALUATORS["glyphs"].test_accuracy, abs=5e-3)  # another FreeType, other pixels
    assert accuracy("mnist", test) < 0.5  # a classifier of something else


def test_accuracy_on_notmnists_test_images():
    root = Path(__file__).resolve().parents[4] / "shared" / "data" / "notmnist"
    if not (root / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip("notMNIST's idx files are not at ../shared/data/notmnist")
    test = NotMNIST().load(root, "idx", "hash").test
    assert accuracy("notmnist", test) == pytest.approx(EVALUATORS["notmnist"].test_accuracy, abs=2e-3)


def test_shapes_and_no_gradient(classifier, images):
    found, logits = classifier(images)
    assert found.shape == (64, 128)
    assert logits.shape == (64, 10)
    assert found.dtype == logits.dtype == torch.float32
    assert not found.requires_grad
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_autocast_changes_nothing(classifier, images):
    expected = classifier(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = classifier(images)
    assert found[0].dtype == torch.float32
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_float32_precision_flag_changes_nothing(classifier, images):
    expected = classifier(images)[0]
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")  # bfloat16 products on CPUs that have them
        assert torch.equal(classifier(images)[0], expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_training_mode_and_batch_company_change_nothing(images):
    network = load_classifier()
    expected = network(images)[0]
    network.train()
    torch.testing.assert_close(network(images)[0], expected, rtol=0, atol=0)
    torch.testing.assert_close(network(images[:3])[0], expected[:3], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wrong", [torch.zeros(2, 1, 28, 28), torch.zeros(2, 3, 28, 28, dtype=torch.uint8)])
def test_other_images_are_refused(classifier, wrong):
    with pytest.raises(UserError, match="uint8 images of shape"):
        classifier(wrong)


def test_tampered_missing_and_unknown_weights_are_refused(tmp_path, monkeypatch):
    evaluator = EVALUATORS["mnist"]
    copy = tmp_path / evaluator.file
    shutil.copy(WEIGHTS / evaluator.file, copy)
    monkeypatch.setattr(features, "WEIGHTS", tmp_path)
    load_classifier()
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    with pytest.raises(UserError, match="sha256") as caught:
        load_classifier()
    assert "\n" not in str(caught.value)
    copy.unlink()
    with pytest.raises(UserError, match="cannot read"):
        load_classifier()
    with pytest.raises(UserError, match="mnist"):
        load_classifier("minst")
