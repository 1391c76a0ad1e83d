"""PacGAN: a GAN whose discriminator judges several images at once (Lin et al., 2018)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class PacGAN(AdversarialModule):
    """DCGAN whose discriminator sees two images as the channels of one (PacDCGAN2; Lin et al., 2018, sec. 2).

    If a generator repeats itself, D can tell its pairs from real ones.
    """

    defaults = DCGAN.defaults.merged(
        {"packing": 2},
    )
