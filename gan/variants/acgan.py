"""ACGAN: a discriminator that names the class too (Odena et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class ACGAN(AdversarialModule):
    """DCGAN with a conditional generator and ten further outputs of D that classify: both networks add the cross-
    entropy of the label to their loss, D on real images and on fakes (Odena et al., 2017, eq. 2 and 3).
    """

    defaults = DCGAN.defaults.merged(
        {"generator": {"conditional": True}, "auxiliary": {"name": "classes", "weight": 1.0}},
    )
