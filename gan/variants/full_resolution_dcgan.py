"""FullResolutionDCGAN: a GAN for MNIST whose generator works at full resolution everywhere (text 002, Keras 2)."""

from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe


class FullResolutionDCGAN(AdversarialModule):
    """The GAN of text 002, value for value, as Keras 2.1 ran it. Its errata are in docs/errata.md.

    A round has three Adam updates: D on a real batch, D on a fake batch, then G. All three share one Adam *instance*.
    Its step count, and so the bias correction, advances three times a round. D's fakes come from `predict`: G runs
    without dropout, and its batch norm uses moving statistics. The G update runs G in training mode on the same noise.

    Three rules of Keras matter here:

    - Keras 2's moving statistics are debiased: after G's first update they are those of its first batch. Without this
      (`generator: {debiased: false}`) the images of `predict` lag behind the trained ones, and D tells them apart in
      its first steps.
    - Keras 2.1 normalises by the batch in every training-mode pass, whether batch norm is frozen or not. It never moved
      the statistics of this discriminator, hence momentum 0. Later Keras runs a frozen batch norm in inference mode and
      lets D's statistics move: `frozen_batch_norm: moving, discriminator: {momentum: 0.2}`.
    - Keras' momentum 0.8 is PyTorch's 0.2.
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
