"""StridedDCGAN: a convolutional GAN for MNIST (text 000, TensorFlow 1)."""

from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe


class StridedDCGAN(AdversarialModule):
    """The GAN of text 000, value for value. Its errata are in docs/errata.md.

    Each network has four 5×5 stride-2 convolutions with SAME padding. Batch norm normalises by the batch in training
    and in sampling, because the text sets `is_training=True` always and never updates the moving averages.

    Four places differ from the text's code:

    - The text reshapes the noise to 2×2×512, which is impossible from 100 numbers. A projection with G's initial
      distribution stands there.
    - The text labels the fakes 1 in D's loss. That literal version is `loss: fakes_labelled_real`.
    - In the text every convolution of D reads the image. Here D's convolutions form a chain.
    - In the text real images stay in [0, 1]. Here they are scaled to the range of G's tanh.
    """

    defaults = Recipe(
        generator={"name": "strided", "channels": [512, 256, 128, 64], "activation": "relu", "output": "tanh"},
        discriminator={"name": "strided", "channels": [64, 128, 256, 512], "activation": "relu"},
        latent_dim=100,
        generator_weights={"name": "normal", "std": 0.04},
        generator_biases={"name": "constant", "value": 0.0},
        discriminator_weights={"name": "truncated_normal", "std": 0.04},
        discriminator_biases={"name": "constant", "value": 0.0},
        prior="uniform",
        loss="non_saturating",
        generator_optimizer={"name": "tensorflow_adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        discriminator_optimizer={"name": "tensorflow_adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        batch_size=64,
        latent="shared",
    )
