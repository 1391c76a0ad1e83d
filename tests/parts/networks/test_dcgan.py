"""DCGAN's networks: what old checkpoints and seeds rely on, labels, minibatch statistics, spectral norm."""

import pytest
import torch
from torch import nn

from gan.base.errors import UserError
from gan.parts.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan.parts.networks.layers import differs_in_inference, has_batch_statistics, normalises_by_batch
from gan.parts.networks.mlp import MLPDiscriminator
from gan.parts.networks.strided import StridedDiscriminator

SHAPES = [(1, 28, 28), (3, 32, 32)]
LABELS = torch.tensor([2, 0, 1, 2])


def discriminator(**options):
    torch.manual_seed(0)
    return DCGANDiscriminator((1, 28, 28), 3, channels=[3, 4], **options)


def batch_norm_keys(name):
    return [f"{name}.{key}" for key in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]


# What files hold, and the order in which optimizers number the parameters ---------------------------------------------


def test_keys_of_the_generator():
    """Keys and order of checkpoints since the first release."""
    network = DCGANGenerator(8, (1, 28, 28), 10, channels=[4, 3], dense=[6])
    assert list(network.state_dict()) == [
        "dense.0.weight",
        *batch_norm_keys("dense_norms.0"),
        "project.weight",
        *batch_norm_keys("norms.0"),
        *batch_norm_keys("norms.1"),
        "deconvolutions.0.weight",
        "deconvolutions.1.weight",
        "deconvolutions.1.bias",
    ]


def test_keys_of_the_discriminator():
    network = DCGANDiscriminator((1, 28, 28), 10, channels=[4, 3], dense=[6], norm="batch", dropout=0.1)
    assert list(network.state_dict()) == [
        "convolutions.0.weight",
        "convolutions.0.bias",
        "convolutions.1.weight",
        "convolutions.1.bias",
        *batch_norm_keys("norms.1"),
        "dense.0.weight",
        "dense.0.bias",
        *batch_norm_keys("dense_norms.0"),
        "judge.weight",
        "judge.bias",
    ]
    network = DCGANDiscriminator((1, 28, 28), 10, channels=[4], norm="spectral")
    assert list(network.state_dict()) == [
        "convolutions.0.bias",
        "convolutions.0.parametrizations.weight.original",
        "convolutions.0.parametrizations.weight.0._u",
        "convolutions.0.parametrizations.weight.0._v",
        "judge.bias",
        "judge.parametrizations.weight.original",
        "judge.parametrizations.weight.0._u",
        "judge.parametrizations.weight.0._v",
    ]


def test_weights_of_a_seed_are_drawn_in_the_layers_order():
    torch.manual_seed(5)
    expected = [
        nn.Linear(8, 6, bias=False),
        nn.Linear(6, 4 * 7 * 7, bias=False),
        nn.ConvTranspose2d(4, 3, 4, bias=False),
        nn.ConvTranspose2d(3, 1, 4),
        nn.Conv2d(1, 4, 4),
        nn.Conv2d(4, 3, 4),
        nn.Linear(3 * 7 * 7, 6),
        nn.Linear(6, 1),
    ]
    state = torch.get_rng_state()
    torch.manual_seed(5)
    generator = DCGANGenerator(8, (1, 28, 28), 10, channels=[4, 3], dense=[6])
    network = DCGANDiscriminator((1, 28, 28), 10, channels=[4, 3], dense=[6])
    assert torch.equal(torch.get_rng_state(), state)
    layers = [*generator.dense, generator.project, *generator.deconvolutions]
    layers += [*network.convolutions, *network.dense, network.judge]
    for layer, same in zip(layers, expected, strict=True):
        for ours, theirs in zip(layer.parameters(), same.parameters(), strict=True):
            assert torch.equal(ours, theirs)


# The generator --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("conditional", [False, True])
def test_generator_s_shapes(shape, norm, conditional):
    network = DCGANGenerator(8, shape, 3, channels=[4, 3], dense=[6], norm=norm, conditional=conditional)
    images = network(torch.randn(4, 8), LABELS)
    assert images.shape == (4, *shape)
    assert network.reads_labels is conditional
    assert network.project.in_features == 6
    assert network.dense[0].in_features == 8 + 3 * conditional
    assert has_batch_statistics(network) == (norm == "batch")
    assert all((layer.bias is None) == (norm == "batch") for layer in (*network.dense, network.project))
    assert network.deconvolutions[-1].bias is not None


def test_generator_without_norm_written_out():
    network = DCGANGenerator(8, (1, 28, 28), 3, channels=[4, 3], dense=[6], norm="none", conditional=True).double()
    latent = torch.randn(4, 8, dtype=torch.float64)
    hidden = torch.cat([latent, torch.eye(3, dtype=torch.float64)[LABELS]], dim=1)
    hidden = network.project(torch.relu(network.dense[0](hidden))).view(4, 4, 7, 7)
    for deconvolution in network.deconvolutions:
        hidden = deconvolution(torch.relu(hidden))
    torch.testing.assert_close(network(latent, LABELS), torch.tanh(hidden))
    assert not torch.allclose(network(latent, LABELS), network(latent, LABELS.flip(0)))
    torch.testing.assert_close(network(latent), network(latent, torch.tensor([0, 1, 2, 0])))


# The discriminator ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("labels", ["none", "concat", "projection"])
@pytest.mark.parametrize("norm", ["none", "batch", "spectral"])
@pytest.mark.parametrize("minibatch_stddev", [False, True])
def test_discriminator_s_shapes(shape, labels, norm, minibatch_stddev):
    network = DCGANDiscriminator(
        shape, 3, channels=[3, 4], dense=[6], norm=norm, labels=labels, minibatch_stddev=minibatch_stddev, outputs=5
    )
    images = torch.randn(4, *shape)
    assert network(images, LABELS).shape == (4, 5)
    assert network(images).shape == (4, 5)
    assert network.reads_labels == (labels != "none")
    assert has_batch_statistics(network) == (norm == "batch" or minibatch_stddev)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("dense", [[], [6]])
def test_projection_written_out(outputs, dense):
    """ψ(φ(x)) + yᵀVφ(x), with V's columns for the labels; further outputs know no label."""
    network = discriminator(labels="projection", dense=dense, outputs=outputs).double()
    images = torch.randn(4, 1, 28, 28, dtype=torch.float64)
    plain = discriminator(dense=dense, outputs=outputs).double()
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if "embedding" not in k})
    features = []
    plain.judge.register_forward_pre_hook(lambda layer, inputs: features.append(inputs[0]))
    expected = plain(images).clone()
    expected[:, 0] += (network.embedding.weight[:, LABELS].T * features[0]).sum(dim=1)
    torch.testing.assert_close(network(images, LABELS), expected)
    assert (network(images, LABELS)[0, 0] - network(images, LABELS.flip(0) * 0)[0, 0]).abs() > 1e-6


def test_concatenated_labels_written_out():
    """The first convolution of the planes is, per image, that of the image plus that of its class' plane alone."""
    network = discriminator(labels="concat").double()
    images = torch.randn(4, 1, 28, 28, dtype=torch.float64)
    first = []
    network.convolutions[0].register_forward_hook(lambda layer, inputs, output: first.append(output))
    logits = network(images, LABELS)
    kernels, bias = network.convolutions[0].weight, network.convolutions[0].bias
    for row, label in enumerate(LABELS):
        expected = nn.functional.conv2d(images[row], kernels[:, :1], bias, stride=2, padding=1)
        plane = torch.ones(1, 28, 28, dtype=torch.float64)
        expected = expected + nn.functional.conv2d(plane, kernels[:, 1 + label, None], stride=2, padding=1)
        torch.testing.assert_close(first[0][row], expected)
    assert (logits - network(images, (LABELS + 1) % 3)).abs().min() > 1e-6


def test_spectral_norm_bounds_every_layer():
    network = discriminator(labels="projection", dense=[6], norm="spectral")
    for _ in range(50):  # power iterations
        network(torch.randn(2, 1, 28, 28))
    for layer in (*network.convolutions, *network.dense, network.judge, network.embedding):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=1e-2)


def test_minibatch_stddev_lets_the_batch_matter():
    """An image's logit depends on the others, in both modes alike, and through the last convolution's maps only."""
    network = discriminator(minibatch_stddev=True).eval()
    images = torch.randn(4, 1, 28, 28)
    alone = torch.cat([network(image[None]) for image in images])
    assert (network(images) - alone).abs().min() > 1e-6
    assert not differs_in_inference(network)
    assert torch.equal(network(images), network.train()(images))
    with torch.no_grad():
        network.judge.weight.view(1, 5, 7, 7)[:, 4] = 0  # forget the appended channel
    torch.testing.assert_close(network(images), torch.cat([network(image[None]) for image in images]))
    assert normalises_by_batch(network)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: discriminator(labels="embed"), "labels must be one of none, concat, projection, got 'embed'"),
        (lambda: discriminator(norm="layer"), "discriminator: norm must be one of none, batch, spectral, got 'layer'"),
        (lambda: DCGANDiscriminator((1, 28, 28), 0, channels=[4], labels="concat"), "discriminator: reads labels"),
        (lambda: DCGANDiscriminator((1, 28, 28), 0, channels=[4], labels="projection"), "discriminator: reads labels"),
        (lambda: DCGANDiscriminator((1, 28, 28), 3, channels=[4, 4, 4]), "sides divide by 8"),
        (lambda: DCGANGenerator(8, (1, 28, 28), 0, channels=[4], conditional=True), "generator: reads labels"),
        (lambda: DCGANGenerator(8, (1, 28, 28), 3, channels=[4], norm="spectral"), "norm must be one of batch, none"),
        (lambda: MLPDiscriminator((1, 28, 28), 3, widths=[4], norm="batch"), "norm must be one of none, spectral"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


# Other families' discriminators ---------------------------------------------------------------------------------------


def test_outputs_of_mlp_and_strided_discriminators():
    images = torch.rand(4, 1, 28, 28)
    assert MLPDiscriminator((1, 28, 28), 3, widths=[5], outputs=4)(images).shape == (4, 4)
    assert StridedDiscriminator((1, 28, 28), 3, channels=[5], outputs=4)(images).shape == (4, 4)


def test_spectral_norm_of_the_mlp_discriminator():
    torch.manual_seed(0)
    plain = MLPDiscriminator((1, 28, 28), 3, widths=[6, 5])
    assert list(plain.state_dict()) == [f"layers.{i}.{name}" for i in range(3) for name in ("weight", "bias")]
    network = MLPDiscriminator((1, 28, 28), 3, widths=[6, 5], norm="spectral")
    for _ in range(50):  # power iterations
        network(torch.rand(2, 1, 28, 28))
    for layer in network.layers:
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, rel=1e-2)
