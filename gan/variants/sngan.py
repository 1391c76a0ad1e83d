"""SNGAN: a GAN with spectral normalisation and the hinge loss (Miyato et al., 2018)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class SNGAN(AdversarialModule):
    """DCGAN's networks with spectral norm in place of D's batch norm (Miyato et al., 2018).

    The loss is the hinge. A round has five D updates. Adam has a learning rate of 2e-4, beta1 0 and beta2 0.9. Ours are
    DCGAN's networks and batches of 128; the paper's networks are residual.
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
