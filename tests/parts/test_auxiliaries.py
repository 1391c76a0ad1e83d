"""Losses of the auxiliary head against written-out formulas."""

import math

import pytest
import torch

from gan.parts.auxiliaries import AUXILIARIES

PREDICTIONS = torch.tensor([[1.0, 0.0, -1.0, 0.5, 2.0], [0.2, 0.3, 0.4, -1.0, 0.0]], dtype=torch.float64)
LABELS = torch.tensor([2, 4])


def cross_entropy(row, target):
    return math.log(sum(math.exp(value) for value in row)) - row[target]


def coded(categories, numbers, total, categories_in_all):
    """Latents: a category, the numbers, noise."""
    one_hot = torch.eye(categories_in_all)[torch.tensor(categories)]
    numbers = torch.tensor(numbers).view(len(categories), -1)
    noise = torch.randn(len(categories), total - categories_in_all - numbers.shape[1])
    return torch.cat([one_hot, numbers, noise], dim=1)


def test_classes_is_the_cross_entropy_of_the_label_on_real_images_and_fakes():
    expected = sum(cross_entropy(row, label) for row, label in zip(PREDICTIONS.tolist(), [2, 4], strict=True)) / 2
    for latent in (None, torch.randn(2, 7)):
        loss = AUXILIARIES["classes"]().loss(PREDICTIONS, LABELS, latent)
        assert float(loss) == pytest.approx(expected, rel=1e-12)
        assert loss.dtype == torch.float64
    assert float(AUXILIARIES["classes"](weight=0.3).loss(PREDICTIONS, LABELS, None)) == pytest.approx(0.3 * expected)


def test_code_is_a_cross_entropy_and_half_a_squared_error():
    latent = coded([1, 0], [[0.5, -0.5], [1.0, 0.25]], total=9, categories_in_all=3)
    categories = (cross_entropy([1, 0, -1], 1) + cross_entropy([0.2, 0.3, 0.4], 0)) / 2
    squares = ((0.5 - 0.5) ** 2 + (-0.5 - 2) ** 2 + (1 + 1) ** 2 + 0.25**2) / 2
    for weight, continuous_weight in ((1.0, 0.1), (0.5, 2.0)):
        auxiliary = AUXILIARIES["code"](categories=3, weight=weight, continuous_weight=continuous_weight)
        loss = auxiliary.loss(PREDICTIONS, LABELS, latent)
        assert float(loss) == pytest.approx(weight * (categories + continuous_weight * squares / 2), rel=1e-6)
        assert loss.dtype == torch.float64
        assert torch.equal(loss, auxiliary.loss(PREDICTIONS, None, latent))  # labels are nothing to it
    default = AUXILIARIES["code"](categories=3).loss(PREDICTIONS, None, latent)
    assert float(default) == pytest.approx(categories + 0.1 * squares / 2, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_code_is_zero_on_real_images(dtype):
    loss = AUXILIARIES["code"](categories=3).loss(PREDICTIONS.to(dtype).requires_grad_(), LABELS, None)
    assert loss.shape == ()
    assert loss.dtype == dtype
    assert float(loss) == 0
    meta = AUXILIARIES["code"](categories=3).loss(torch.empty(2, 5, device="meta"), None, None)
    assert meta.device.type == "meta"


def test_code_without_continuous_numbers_is_the_category_alone():
    latent = coded([2, 2], [], total=6, categories_in_all=5)
    auxiliary = AUXILIARIES["code"](categories=5, continuous=0)
    expected = sum(cross_entropy(row, 2) for row in PREDICTIONS.tolist()) / 2
    assert float(auxiliary.loss(PREDICTIONS, None, latent)) == pytest.approx(expected)


def descended(loss, columns):
    """Predictions after gradient descent from 0."""
    predictions = torch.zeros(len(LABELS), columns, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([predictions], lr=2.0)
    for _ in range(300):
        optimizer.zero_grad()
        loss(predictions).backward()
        optimizer.step()
    return predictions.detach()


def test_the_minimum_is_at_the_right_prediction():
    predictions = descended(lambda x: AUXILIARIES["classes"]().loss(x, LABELS, None), 5)
    probabilities = predictions.softmax(1)
    assert (probabilities[[0, 1], LABELS] > 0.98).all()
    latent = coded([1, 0], [[0.5, -0.5], [1.0, 0.25]], total=9, categories_in_all=3)
    predictions = descended(lambda x: AUXILIARIES["code"](categories=3).loss(x, None, latent), 5)
    assert (predictions[:, :3].softmax(1)[[0, 1], [1, 0]] > 0.98).all()
    torch.testing.assert_close(predictions[:, 3:], latent[:, 3:5].double(), rtol=0, atol=1e-6)


def test_outputs_are_what_the_loss_reads():
    assert AUXILIARIES["classes"]().outputs(10) == 10
    assert AUXILIARIES["code"]().outputs(0) == 12
    assert AUXILIARIES["code"](categories=3, continuous=1).outputs(10) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AUXILIARIES["classes"]().outputs(0), "labels of at least 2 classes, got 0"),
        (lambda: AUXILIARIES["classes"]().loss(PREDICTIONS, None, None), "classes needs labels"),
        (lambda: AUXILIARIES["code"](categories=0), "categories must be at least 1 .* got categories 0"),
        (lambda: AUXILIARIES["code"](continuous=-1), "continuous at least 0, got .* continuous -1"),
        (
            lambda: AUXILIARIES["code"]().loss(torch.zeros(2, 12), None, torch.zeros(2, 11)),
            "latent_dim must be at least 12, got 11",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
