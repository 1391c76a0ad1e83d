"""LSGAN: least squares in place of the cross-entropy (Mao et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class LSGAN(AdversarialModule):
    """DCGAN with the least-squares loss, codes 1 for real, 0 for fake and 1 for what G wants (Mao et al., 2017, eq. 9).

    D's outputs are numbers near these codes, no logits: an image counts as called real above ½.
    """

    defaults = DCGAN.defaults.merged(
        {"loss": {"name": "least_squares", "real": 1.0, "fake": 0.0, "target": 1.0}},
    )
