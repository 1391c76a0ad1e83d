"""WGANGP: a WGAN with a gradient penalty in place of clipped weights (Gulrajani et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class WGANGP(AdversarialModule):
    """DCGAN's networks and batches of 128 under algorithm 1 of Gulrajani et al. (2017).

    A round has five critic updates. The penalty is 10 (‖∇D(x̂)‖ - 1)² at points between real and fake images. Adam has
    a learning rate of 1e-4, beta1 0 and beta2 0.9. The critic has no batch norm, since the penalty is on the gradient
    of each image by itself (sec. 4).
    """

    defaults = DCGAN.defaults.merged(
        {
            "loss": "wasserstein",
            "discriminator": {"norm": "none"},
            "discriminator_penalties": {"gradient_penalty": 10.0},
            "d_steps": 5,
            "generator_optimizer": {"lr": 1e-4, "beta1": 0.0, "beta2": 0.9},
            "discriminator_optimizer": {"lr": 1e-4, "beta1": 0.0, "beta2": 0.9},
        }
    )
