"""LSGAN: a GAN with least squares in place of the cross-entropy (Mao et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class LSGAN(AdversarialModule):
    """DCGAN with the least-squares loss (Mao et al., 2017, eq. 9).

    D's target is 1 for real images and 0 for fakes; G wants fakes to get 1. D's outputs are numbers near these targets,
    not logits. An image counts as called real if its output is above ½.
    """

    defaults = DCGAN.defaults.merged(
        {"loss": {"name": "least_squares", "real": 1.0, "fake": 0.0, "target": 1.0}},
    )
