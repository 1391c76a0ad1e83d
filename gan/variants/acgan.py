"""ACGAN: a GAN whose discriminator names the class of an image, too (Odena et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class ACGAN(AdversarialModule):
    """DCGAN with a conditional generator and a discriminator that classifies (Odena et al., 2017, eq. 2 and 3).

    D has one further output for each class, ten on MNIST. Both networks add the cross-entropy of the label to their
    loss: D on real images and on fakes, G on its fakes.
    """

    defaults = DCGAN.defaults.merged(
        {"generator": {"conditional": True}, "auxiliary": {"name": "classes", "weight": 1.0}},
    )
