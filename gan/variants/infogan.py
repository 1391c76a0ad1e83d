"""InfoGAN: a code in the latent that D's head reads back (Chen et al., 2016)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class InfoGAN(AdversarialModule):
    """DCGAN whose latent begins with a code, a category of ten and two continuous numbers, beside 62 numbers of noise;
    a head on D's last features predicts it from the fakes, and both networks add its loss (Chen et al., 2016, eq. 5
    and 6).

    As in appendix C.1: the sizes of the code and the noise, Adam of 2e-4 for D and 1e-3 for G. Ours: DCGAN's
    convolutions and batches; normal noise where the authors' code draws uniform; the head is one linear layer; the
    continuous codes weigh 0.1.
    """

    defaults = DCGAN.defaults.merged(
        {
            "prior": {"name": "coded", "categories": 10, "continuous": 2},
            "latent_dim": 74,
            "auxiliary": {"name": "code", "categories": 10, "continuous": 2, "weight": 1.0, "continuous_weight": 0.1},
            "generator_optimizer": {"lr": 1e-3},
        }
    )
