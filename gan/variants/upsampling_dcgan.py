"""UpsamplingDCGAN: a convolutional GAN for the letters of notMNIST (text 003, Keras)."""

from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe


class UpsamplingDCGAN(AdversarialModule):
    """The GAN of text 003, which gives the shape of the system and not every number. Its errata are in docs/errata.md.

    The text gives these parts:

    - G has 100 random inputs, a dense layer to 7×7, "a handful of convolution layers of varying sizes and numbers of
      channels", leaky ReLU inside and tanh at the end.
    - D has "several convolutional layers, a dense layer, lots of dropout, one element sigmoid", and fewer parameters
      than G.
    - Adam minimises the cross-entropy. A round has one D and one G update.

    The text is silent on the rest. Our choices are:

    - G: 256 maps from the dense layer, two nearest ×2 upsamplings, and 5×5 convolutions (DCGAN's kernel) to 128, 64, 32
      and 1 maps.
    - G's batch norm: Keras' epsilon and PyTorch's momentum of 0.1. Keras' 0.99 would not have settled in 250 rounds.
      The moving statistics are not debiased, which makes no difference after some fifty updates.
    - D: 5×5 stride-2 convolutions with half of text 000's widths, and dropout 0.4 ("lots"). Its dense layer has 256
      outputs, leaky ReLU and dropout, as in KerasGAN (O'Shea, 2016), the likely original of the text. D then has fewer
      parameters than G (1.34 against 2.34 million). Until version 0.2.0 it had no dense layer:
      `discriminator.dense=null`.
    - Both: leaky ReLU of slope 0.2, as in DCGAN, and Keras' initial values.
    - Adam: DCGAN's values (lr 2e-4, beta1 0.5) with Keras' epsilon. Radford et al., 2016, is the text's only reference
      for values.
    - The loss: the cross-entropy of logits, without Keras' clip, which acts only beyond ±16.
    - The noise: DCGAN's uniform noise, fresh for every update.
    - Batches of 256, a usual size of Keras' examples.
    """

    defaults = Recipe(
        generator={
            "name": "upsampling",
            "channels": [256, 128, 64, 32],
            "momentum": 0.1,
            "activation": {"name": "leaky_relu", "slope": 0.2},
            "output": "tanh",
        },
        discriminator={
            "name": "strided",
            "channels": [32, 64, 128, 256],
            "kernel": 5,
            "activation": {"name": "leaky_relu", "slope": 0.2},
            "norm": "none",
            "dropout": 0.4,
            "dense": [256],
        },
        latent_dim=100,
        generator_weights="glorot_uniform",
        generator_biases={"name": "constant", "value": 0.0},
        discriminator_weights="glorot_uniform",
        discriminator_biases={"name": "constant", "value": 0.0},
        prior="uniform",
        loss="non_saturating",
        generator_optimizer={"name": "tensorflow_adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "epsilon": 1e-7},
        discriminator_optimizer={"name": "tensorflow_adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "epsilon": 1e-7},
        batch_size=256,
        latent="fresh",
    )
