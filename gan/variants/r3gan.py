"""R3GAN: relativistic pairing with zero-centred penalties on both sides (Huang et al., 2024), in small."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class R3GAN(AdversarialModule):
    """The objective of R3GAN on DCGAN's convolutions without any normalisation: relativistic pairing, R1 on real and R2
    on fake images (Huang et al., 2024, sec. 2), Adam with beta1 0.

    Ours, for small networks and batches of 128: the penalties' weight γ = 1, DCGAN's learning rate, beta2 0.99 without
    a schedule, Glorot's initial weights (N(0, 0.02) would fade in five layers without a norm). The paper's residual
    networks are not used.
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
