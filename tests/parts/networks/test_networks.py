"""Laws of every generator and discriminator."""

import pytest
import torch
from support import tiny

from gan.base.images import pack
from gan.parts.networks.dcgan import DCGANDiscriminator
from gan.parts.networks.layers import ACTIVATIONS, OUTPUT_RANGES, activation
from gan.variants import VARIANTS
from gan.variants.mlp_gan import MLPGAN


@pytest.mark.parametrize("variant", sorted(VARIANTS))
@pytest.mark.parametrize("output", sorted(OUTPUT_RANGES))
def test_shapes_and_range(variant, output):
    module = tiny(variant, {"generator": {"output": output}})
    low, high = module.generator.output_range
    fake = module.generator(torch.randn(6, module.recipe.latent_dim) * 100)
    assert fake.shape == (6, 1, 28, 28)
    assert low <= fake.min() < fake.max() <= high
    seen = pack(fake, module.recipe.packing)
    outputs = 1 if module.auxiliary is None else 1 + module.auxiliary.outputs(10)
    assert module.discriminator(seen).shape == (6 // module.recipe.packing, outputs)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_other_shapes(variant):
    module = VARIANTS[variant](image_shape=(3, 32, 32))
    images = module.generator(torch.randn(2, module.recipe.latent_dim))
    assert images.shape == (2, 3, 32, 32)
    assert len(module.discriminator(pack(images, module.recipe.packing))) == 2 // module.recipe.packing


def test_mlp_gan_has_the_text_s_parameters():
    module = MLPGAN()
    count = [sum(p.numel() for p in network.parameters()) for network in (module.generator, module.discriminator)]
    assert count == [
        100 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 784 + 784,
        784 * 200 + 200 + 200 * 200 + 200 + 200 + 1,
    ]
    for network, bound in ((module.generator, 0.05), (module.discriminator, 0.005)):
        for layer in network.layers:
            assert layer.weight.abs().max() <= bound
            assert layer.weight.abs().max() > 0.95 * bound
            assert (layer.bias == torch.tensor(0.1)).all()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations(name):
    x = torch.linspace(-2, 2, 5)
    expected = {"leaky_relu": torch.maximum(x, 0.2 * x), "relu": x.clamp(min=0)}.get(name)
    expected = getattr(torch, name)(x) if expected is None else expected
    torch.testing.assert_close(activation(name)(x), expected)


@pytest.mark.parametrize("norm", ["none", "batch", "spectral"])
def test_dcgan_discriminator_norms(norm):
    """Spectral norm bounds each layer's largest singular value by 1 (Miyato et al., 2018)."""
    torch.manual_seed(0)
    network = DCGANDiscriminator((1, 28, 28), 10, channels=[4, 8], norm=norm)
    batch_norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(batch_norms) == (1 if norm == "batch" else 0)
    for _ in range(30):  # power iterations
        network(torch.randn(2, 1, 28, 28))
    if norm == "spectral":
        for layer in (*network.convolutions, network.judge):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=1e-2)
