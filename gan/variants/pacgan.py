"""PacGAN: a discriminator that judges several images at once (Lin et al., 2018)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class PacGAN(AdversarialModule):
    """DCGAN whose discriminator sees two images of a batch as the channels of one (PacDCGAN2; Lin et al., 2018, sec.
    2): a generator that repeats itself is told apart by its pairs.
    """

    defaults = DCGAN.defaults.merged(
        {"packing": 2},
    )
