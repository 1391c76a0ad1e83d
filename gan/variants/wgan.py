"""WGAN: a GAN whose critic, with clipped weights, estimates the Wasserstein distance (Arjovsky et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class WGAN(AdversarialModule):
    """DCGAN's networks and batches of 128 under algorithm 1 of Arjovsky et al. (2017).

    A round has five critic updates. Every weight of the critic is clipped to [-0.01, 0.01]. RMSprop has a learning rate
    of 5e-5. The critic's output is no logit, so its probabilities mean nothing. Minus its loss estimates the distance,
    up to a factor.
    """

    defaults = DCGAN.defaults.merged(
        {
            "loss": "wasserstein",
            "weight_clip": 0.01,
            "d_steps": 5,
            "generator_optimizer": {"name": "rmsprop", "lr": 5e-5},
            "discriminator_optimizer": {"name": "rmsprop", "lr": 5e-5},
        }
    )
