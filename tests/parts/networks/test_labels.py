"""One-hot labels and what reads them, against written-out computations."""

import pytest
import torch

from gan.base.errors import UserError
from gan.parts.networks.labels import beside_image, beside_latent, check_classes, one_hot, projected

LABELS = torch.tensor([2, 0, 1, 2])


def test_one_hot():
    like = torch.zeros(1, dtype=torch.float64)
    expected = torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    assert torch.equal(one_hot(LABELS, 4, 3, like), expected)
    assert torch.equal(one_hot(LABELS.to(torch.uint8), 4, 3, like), expected)
    assert one_hot(LABELS, 4, 3, like.bfloat16()).dtype == torch.bfloat16


def test_without_labels_the_classes_come_in_turn():
    result = one_hot(None, 7, 3, torch.zeros(1))
    assert result.argmax(dim=1).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert torch.equal(result.sum(dim=1), torch.ones(7))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:FutureWarning")
def test_a_trace_runs_for_other_batch_sizes():
    class Reader(torch.nn.Module):
        def forward(self, latent):
            return beside_latent(latent, None, 3)

    traced = torch.jit.trace(Reader(), torch.randn(2, 5))
    latent = torch.randn(4, 5)
    torch.testing.assert_close(traced(latent), beside_latent(latent, torch.tensor([0, 1, 2, 0]), 3))


def test_data_without_classes_are_refused():
    check_classes(1, "generator")
    with pytest.raises(UserError, match="generator: reads labels, but the data set has no classes") as caught:
        check_classes(0, "generator")
    assert "\n" not in str(caught.value)


def test_labels_beside_latents_and_images():
    latent, images = torch.randn(4, 5), torch.randn(4, 2, 3, 6)
    both = beside_latent(latent, LABELS, 3)
    planes = beside_image(images, LABELS, 3)
    assert both.shape == (4, 8)
    assert planes.shape == (4, 5, 3, 6)
    assert torch.equal(both[:, :5], latent)
    assert torch.equal(planes[:, :2], images)
    for row, label in enumerate(LABELS):
        for k in range(3):
            assert both[row, 5 + k] == float(k == label)
            assert (planes[row, 2 + k] == float(k == label)).all()


def test_projection_adds_an_inner_product_to_the_logit_only():
    torch.manual_seed(0)
    embedding = torch.nn.Linear(3, 6, bias=False).double()
    features, logits = torch.randn(4, 6).double(), torch.randn(4, 2).double()
    result = projected(logits, features, LABELS, 3, embedding)
    for row, label in enumerate(LABELS):
        inner = sum(embedding.weight[i, label] * features[row, i] for i in range(6))
        torch.testing.assert_close(result[row, 0], logits[row, 0] + inner)
    assert torch.equal(result[:, 1], logits[:, 1])
