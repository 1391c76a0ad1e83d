"""DRAGAN: a gradient penalty around the real images (Kodali et al., 2017)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class DRAGAN(AdversarialModule):
    """DCGAN with 10 (‖∇D(x̂)‖ - 1)² at perturbed real images (Kodali et al., 2017; perturbed as in the authors' code).

    D keeps DCGAN's batch norm: an image's gradient then runs through the others of its batch.
    """

    defaults = DCGAN.defaults.merged(
        {"discriminator_penalties": {"dragan": 10.0}},
    )
