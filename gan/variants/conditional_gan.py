"""ConditionalGAN: a GAN whose two networks are told the class (Mirza and Osindero, 2014)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class ConditionalGAN(AdversarialModule):
    """DCGAN whose generator and discriminator both read the label (Mirza and Osindero, 2014, sec. 3.2).

    G reads it beside its noise, D as planes beside the image. Fakes have the labels of the real batch.

    With `discriminator: {labels: projection}` D adds an inner product of the label's embedding and its last features
    (Miyato and Koyama, 2018, eq. 3). It should then have `norm: none`, because beside batch norm it collapsed
    (docs/results/best.md).
    """

    defaults = DCGAN.defaults.merged(
        {"generator": {"conditional": True}, "discriminator": {"labels": "concat"}},
    )
