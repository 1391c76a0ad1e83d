"""DCGAN: a small convolutional GAN (Radford et al., 2016), sized for two CPU cores."""

from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe


class DCGAN(AdversarialModule):
    """DCGAN's rules at a width that trains on a CPU (Radford et al., 2016, sec. 3 and 4).

    Strided convolutions replace pooling. G has batch norm and ReLU, D has batch norm and leaky ReLU. Weights start from
    a normal distribution of standard deviation 0.02. Adam has a learning rate of 2e-4 and beta1 0.5. Noise is U(-1, 1).
    """

    defaults = Recipe(
        generator={"name": "dcgan", "channels": [128, 64], "activation": "relu", "output": "tanh"},
        discriminator={
            "name": "dcgan",
            "channels": [64, 128],
            "activation": {"name": "leaky_relu", "slope": 0.2},
            "norm": "batch",
            "dropout": 0.0,
        },
        latent_dim=100,
        generator_weights={"name": "normal", "std": 0.02},
        generator_biases={"name": "constant", "value": 0.0},
        discriminator_weights={"name": "normal", "std": 0.02},
        discriminator_biases={"name": "constant", "value": 0.0},
        prior="uniform",
        loss="non_saturating",
        generator_optimizer={"name": "adam", "lr": 2e-4, "beta1": 0.5},
        discriminator_optimizer={"name": "adam", "lr": 2e-4, "beta1": 0.5},
        batch_size=128,
    )
