"""WGAN: a critic of the Wasserstein distance, its weights clipped (Arjovsky et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class WGAN(AdversarialModule):
    """DCGAN's networks and batches of 128 under algorithm 1 of Arjovsky et al. (2017): five critic updates a round,
    every weight of the critic in [-0.01, 0.01], RMSprop of 5e-5. The critic has no bounded output, so that its
    probabilities mean nothing; minus its loss estimates the distance, up to a factor.
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
