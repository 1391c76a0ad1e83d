"""FullResolutionDCGAN: convolutional GAN on MNIST whose generator never changes its resolution (text 002, Keras 2)."""

from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe


class FullResolutionDCGAN(AdversarialModule):
    """The GAN of text 002 as Keras 2.1 ran it, value for value; its errata are in docs/errata.md.

    A round is three Adam updates: D on a real batch, D on a fake one, G. They share one Adam *instance*, so that its
    step count, hence the bias correction, advances three times a round. D's fakes come from `predict`: G without
    dropout, batch norm on its moving statistics. The G update runs G in training mode on the same noise.

    Keras 2's moving statistics are debiased: after G's first update they are those of its first batch. Without that
    (`generator: {debiased: false}`) the images of `predict` lag behind the trained ones, and D tells them apart in its
    first steps. Keras 2.1 normalises by the batch in every training-mode pass, frozen or not, and never moved the
    statistics of this discriminator (momentum 0). Later Keras runs a frozen batch norm in inference mode, and lets D's
    statistics move: `frozen_batch_norm: moving, discriminator: {momentum: 0.2}`. PyTorch's momentum 0.2 is Keras' 0.8.
    """

    defaults = Recipe(
        generator={
            "name": "full_resolution",
            "channels": [128, 128, 64],
            "dropout": 0.25,
            "momentum": 0.2,
            "debiased": True,
            "activation": "relu",
            "output": "tanh",
        },
        discriminator={
            "name": "strided",
            "channels": [32, 64, 128, 256],
            "kernel": 3,
            "strides": [2, 2, 2, 1],
            "padded": [1],
            "activation": {"name": "leaky_relu", "slope": 0.2},
            "norm": "batch",
            "momentum": 0.0,
            "dropout": 0.25,
        },
        latent_dim=100,
        generator_weights="glorot_uniform",
        generator_biases={"name": "constant", "value": 0.0},
        discriminator_weights="glorot_uniform",
        discriminator_biases={"name": "constant", "value": 0.0},
        prior="normal",
        loss="non_saturating_clipped",
        generator_optimizer={"name": "tensorflow_adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "epsilon": 1e-7},
        discriminator_optimizer={"name": "tensorflow_adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "epsilon": 1e-7},
        step_count="shared",
        batch_size=32,
        sampling="replacement",
        latent="shared",
        fakes="inference",
        discriminator_update="real_then_fake",
        frozen_batch_norm="batch",
    )
