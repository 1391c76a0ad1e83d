"""InfoGAN: a GAN whose latent holds a code that a head of D reads back (Chen et al., 2016)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class InfoGAN(AdversarialModule):
    """DCGAN whose latent begins with a code that D predicts from the fakes (Chen et al., 2016, eq. 5 and 6).

    The code is a category of ten and two continuous numbers; 62 numbers of noise follow it. A head on D's last features
    predicts the code, and both networks add the loss of this prediction to their own.

    Appendix C.1 of the paper gives the sizes of the code and the noise, and Adam's learning rates: 2e-4 for D and 1e-3
    for G. So G learns faster here than in the other variants of DCGAN's family.

    Ours are DCGAN's convolutions and batches, normal noise (the authors' code draws uniform noise), a head of one
    linear layer, and the weight 0.1 of the continuous codes.
    """

    defaults = DCGAN.defaults.merged(
        {
            "prior": {"name": "coded", "categories": 10, "continuous": 2},
            "latent_dim": 74,
            "auxiliary": {"name": "code", "categories": 10, "continuous": 2, "weight": 1.0, "continuous_weight": 0.1},
            "generator_optimizer": {"lr": 1e-3},
        }
    )
