"""A variant: a class, its defaults, and only the rules that no other variant has (here none)."""

from gan.module import AdversarialModule
from gan.variants.mlp_gan import MLPGAN


class HeavyTailedGAN(AdversarialModule):
    """MLPGAN with heavy-tailed noise, a relativistic loss and small networks."""

    defaults = MLPGAN.defaults.merged(
        {
            "generator": {"widths": [24, 24]},
            "discriminator": {"widths": [16]},
            "latent_dim": 8,
            "batch_size": 8,
            "prior": {"name": "mylab.priors.student_t", "degrees": 5},
            "loss": "mylab.losses.relativistic",
            "generator_schedules": {"momentum": None},
        }
    )
