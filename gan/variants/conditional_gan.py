"""ConditionalGAN: both networks are told the class (Mirza and Osindero, 2014)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class ConditionalGAN(AdversarialModule):
    """DCGAN whose generator reads the label beside its noise and whose discriminator reads it as planes beside the
    image (Mirza and Osindero, 2014, sec. 3.2). Fakes have the labels of the real batch.

    With `discriminator: {labels: projection}` D takes an inner product of the label's embedding and its last features
    (Miyato and Koyama, 2018, eq. 3); it wants `norm: none`, for beside batch norm it collapsed (docs/results/best.md).
    """

    defaults = DCGAN.defaults.merged(
        {"generator": {"conditional": True}, "discriminator": {"labels": "concat"}},
    )
