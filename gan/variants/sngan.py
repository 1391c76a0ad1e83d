"""SNGAN: spectral normalisation and the hinge loss (Miyato et al., 2018)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class SNGAN(AdversarialModule):
    """DCGAN's networks with spectral norm in place of D's batch norm, the hinge loss, five D updates a round and Adam
    (2e-4; 0, 0.9) (Miyato et al., 2018, with the hinge). Ours: DCGAN's networks and batches of 128 where theirs are
    residual.
    """

    defaults = DCGAN.defaults.merged(
        {
            "loss": "hinge",
            "discriminator": {"norm": "spectral"},
            "d_steps": 5,
            "generator_optimizer": {"beta1": 0.0, "beta2": 0.9},
            "discriminator_optimizer": {"beta1": 0.0, "beta2": 0.9},
        }
    )
