"""GoodfellowGAN: the values of the paper's code, and G's first images."""

import pytest
import torch
from run_support import checkpoint, fit, gan
from support import tiny

from gan.data.sources.mnist import MNIST
from gan.engine.building import set_output_bias
from gan.variants.goodfellow_gan import GoodfellowGAN


def test_it_has_the_shapes_of_the_paper_s_code():
    module = GoodfellowGAN()
    shapes = [tuple(p.shape) for p in module.discriminator.parameters()]
    assert shapes == [(1200, 784), (1200,), (1200, 240), (1200,), (1, 240), (1,)]  # 240 units of 5 pieces
    assert [tuple(p.shape) for p in module.generator.parameters()][::2] == [(1200, 100), (1200, 1200), (784, 1200)]
    for network, bound in ((module.generator, 0.05), (module.discriminator, 0.005)):
        for weight in (p for p in network.parameters() if p.ndim > 1):
            assert 0.95 * bound < float(weight.abs().max()) <= bound * (1 + 1e-6)
    latent = module.prior((1000, 100), torch.Generator().manual_seed(0))
    assert 1.72 < float(latent.abs().max()) <= 3**0.5
    assert (module.recipe.updates, module.recipe.latent, module.recipe.batch_size) == ("simultaneous", "shared", 100)


@pytest.mark.parametrize("variant", ["GoodfellowGAN", "DCGAN"])
def test_without_weights_the_generator_puts_out_the_mean_image(variant, tmp_path):
    """In sigmoid's range each pixel's mean; a convolution has one bias a channel, in tanh's range."""
    images = MNIST().load(tmp_path, "embedded", "text").train.images
    module = tiny(variant)
    set_output_bias(module.generator, images)
    layer = [m for m in module.generator.modules() if hasattr(m, "bias") and hasattr(m, "weight")][-1]
    if variant == "DCGAN":
        layer = module.generator.deconvolutions[-1]
    torch.nn.init.zeros_(layer.weight)
    module.generator.eval()
    mean = images.float().mean(dim=0, keepdim=True) / 255
    low, high = module.output_range
    expected = mean if variant == "GoodfellowGAN" else mean.mean(dim=(2, 3), keepdim=True).expand(1, 1, 28, 28)
    with torch.no_grad():
        drawn = module.generator(torch.rand(1, 8))
    torch.testing.assert_close(drawn, low + (high - low) * expected, rtol=1e-3, atol=1e-5)


def test_a_new_run_starts_from_the_marginals_and_a_resumed_one_does_not(tmp_path, capsys):
    words = ("--model.recipe.output_bias=marginals", "--model.recipe.generator_optimizer.lr=0.0")
    words += ("--model.recipe.generator_schedules.lr=null", "--checkpoints.every_n_steps=1")
    run = fit(tmp_path / "run", *words, variant="GoodfellowGAN", steps=1)
    bias = checkpoint(run)["state_dict"]["generator.layers.2.bias"]
    black = bias.view(28, 28)[0, 0]  # no digit has ink in the corner
    assert float(black) == pytest.approx(-16.1, abs=0.1)
    assert float(bias.max()) > -1
    moving = fit(tmp_path / "moving", "--model.recipe.output_bias=marginals", variant="GoodfellowGAN", steps=2)
    before = checkpoint(moving)["state_dict"]["generator.layers.2.bias"].clone()
    assert gan("resume", moving, "--trainer.max_steps=3") == 0
    after = checkpoint(moving)["state_dict"]["generator.layers.2.bias"]
    straight = fit(tmp_path / "straight", "--model.recipe.output_bias=marginals", variant="GoodfellowGAN", steps=3)
    assert torch.equal(after, checkpoint(straight)["state_dict"]["generator.layers.2.bias"])
    assert not torch.equal(before, bias)
