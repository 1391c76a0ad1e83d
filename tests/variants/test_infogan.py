"""InfoGAN: a head of D learns the code from the fakes, and learns nothing from real images."""

import torch
from support import Recorder, tiny, train
from variants_support import first_outputs


def test_the_head_reads_the_category_of_the_fakes():
    """After 60 updates of both networks D's head names the category of most new fakes; by chance, of one in ten."""
    module = tiny("InfoGAN", {"discriminator_optimizer": {"lr": 1e-2}, "generator_optimizer": {"lr": 1e-2}}, seed=1)
    train(module, 60, Recorder())
    latent = module.prior((500, module.recipe.latent_dim), torch.Generator().manual_seed(0))
    with torch.no_grad():
        predicted = module.discriminator(module.generator(latent))[:, 1:11].argmax(dim=1)
    assert (predicted == latent[:, :10].argmax(dim=1)).float().mean() > 0.5


def test_real_images_have_no_code():
    module = tiny("InfoGAN", seed=1)
    real, fake, outputs = first_outputs(module, every_output=True)
    code = module.auxiliary.loss(fake[:, 1:], None, module.latent_of_the_first_fakes)
    softplus = torch.nn.functional.softplus
    adversarial = softplus(-real[:, 0]).mean() + softplus(fake[:, 0]).mean()
    torch.testing.assert_close(outputs["loss/discriminator"], (adversarial + code).detach())
