"""The maxout discriminator against NumPy."""

import numpy as np
import pytest
import torch

from gan.base.errors import UserError
from gan.parts.networks.layers import differs_in_inference, has_batch_statistics
from gan.parts.networks.maxout import MaxoutDiscriminator


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_logits_are_those_of_numpy(shape):
    """Each unit is the maximum of its pieces, whose rows stand `width` apart; evaluation mode drops nothing."""
    torch.manual_seed(0)
    widths, pieces = [6, 4], 3
    network = MaxoutDiscriminator(shape, 10, widths=widths, pieces=pieces, outputs=2).double().eval()
    images = torch.rand(5, *shape, dtype=torch.float64)
    hidden = images.numpy().reshape(5, -1)
    for layer, width in zip(network.layers, widths, strict=True):
        affine = hidden @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        units = [np.stack([affine[:, unit + piece * width] for piece in range(pieces)]) for unit in range(width)]
        hidden = np.stack([unit.max(axis=0) for unit in units], axis=1)
    expected = hidden @ network.judge.weight.detach().numpy().T + network.judge.bias.detach().numpy()
    assert expected.shape == (5, 2)
    np.testing.assert_allclose(network(images).detach().numpy(), expected, rtol=1e-10)


def test_the_first_gan_s_discriminator_has_its_parameters():
    """goodfeli/adversarial, mnist.yaml: two layers of 240 units of 5 pieces and a sigmoid."""
    network = MaxoutDiscriminator((1, 28, 28), 10, widths=[240, 240])
    count = sum(p.numel() for p in network.parameters())
    assert count == (784 + 1) * 240 * 5 + (240 + 1) * 240 * 5 + 241
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 1)


def test_dropout_keeps_the_shares_that_the_first_gan_kept():
    """0.8 of the pixels, times 1.25, and 0.5 of the units, times 2."""
    torch.manual_seed(0)
    network = MaxoutDiscriminator((1, 28, 28), 10, widths=[500], pieces=1)
    seen = {}
    network.layers[0].register_forward_pre_hook(lambda layer, inputs: seen.update(pixels=inputs[0]))
    network.judge.register_forward_pre_hook(lambda layer, inputs: seen.update(units=inputs[0]))
    with torch.no_grad():
        network.layers[0].weight.zero_()
        network.layers[0].bias.fill_(1.0)
    network(torch.ones(50, 1, 28, 28))
    for name, keep in (("pixels", 0.8), ("units", 0.5)):
        assert set(seen[name].unique().tolist()) == {0.0, 1 / keep}
        assert (seen[name] > 0).float().mean().item() == pytest.approx(keep, abs=0.02)
    assert differs_in_inference(network)
    assert not has_batch_statistics(network)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"widths": []}, "discriminator: widths"), ({"widths": [4], "pieces": 0}, "discriminator: pieces")],
)
def test_refusals(options, message):
    with pytest.raises(UserError, match=message):
        MaxoutDiscriminator((1, 28, 28), 10, **options)
