"""R3GAN: a small GAN with relativistic pairing and zero-centred penalties on both sides (Huang et al., 2024)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class R3GAN(AdversarialModule):
    """The objective of R3GAN on DCGAN's convolutions without any normalisation (Huang et al., 2024, sec. 2).

    The loss is relativistic pairing, with R1 on real images and R2 on fakes. Adam has beta1 0.

    Ours, for small networks and batches of 128, are: the penalties' weight γ = 1, DCGAN's learning rate, beta2 0.99
    without a schedule, and Glorot's initial weights. With DCGAN's weights of standard deviation 0.02 the signal would
    fade in five layers without a norm. The paper's residual networks are not used.
    """

    defaults = DCGAN.defaults.merged(
        {
            "loss": "relativistic_pairing",
            "generator": {"norm": "none"},
            "discriminator": {"norm": "none"},
            "discriminator_penalties": {"r1": 1.0, "r2": 1.0},
            "generator_weights": "glorot_uniform",
            "discriminator_weights": "glorot_uniform",
            "generator_optimizer": {"beta1": 0.0, "beta2": 0.99},
            "discriminator_optimizer": {"beta1": 0.0, "beta2": 0.99},
        }
    )
