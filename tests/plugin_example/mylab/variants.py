"""A variant: a class on one page, its recipe, and only rules that no other variant has (here none)."""

from gan.engine.game import AdversarialModule
from gan.variants.dcgan import DCGAN


class HeavyTailedGAN(AdversarialModule):
    """α-GAN with heavy-tailed noise and minibatch discrimination; both networks name the class, as ACGAN's.

    A diff of DCGAN's recipe: every part outside `gan` goes by its importable path.
    """

    defaults = DCGAN.defaults.merged(
        {
            "generator": {"name": "mylab.networks.Generator", "features": 16},
            "discriminator": {"name": "mylab.networks.Discriminator", "features": 16},
            "generator_weights": "mylab.inits.lecun_uniform",
            "discriminator_weights": "mylab.inits.lecun_uniform",
            "latent_dim": 16,
            "prior": {"name": "mylab.priors.student_t", "degrees": 5},
            "loss": {"name": "mylab.losses.alpha_loss", "alpha": 2.0},
            "auxiliary": "classes",
            "discriminator_penalties": {"mylab.penalties.one_sided": {"weight": 1.0, "interval": 2, "bound": 1.0}},
            "batch_size": 32,
        }
    )
