"""DRAGAN: a GAN with a gradient penalty around the real images (Kodali et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class DRAGAN(AdversarialModule):
    """DCGAN with the penalty 10 (‖∇D(x̂)‖ - 1)² at perturbed real images x̂ (Kodali et al., 2017).

    Images are perturbed as in the authors' code. D keeps DCGAN's batch norm, so an image's gradient also runs through
    the other images of its batch.
    """

    defaults = DCGAN.defaults.merged(
        {"discriminator_penalties": {"dragan": 10.0}},
    )
