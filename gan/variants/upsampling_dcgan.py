"""UpsamplingDCGAN: convolutional GAN on notMNIST's letters (text 003, Keras)."""

from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe


class UpsamplingDCGAN(AdversarialModule):
    """The GAN of text 003, which gives the shape and not every number; its errata are in docs/errata.md.

    The text says: 100 random inputs; a dense layer to 7×7; "a handful of convolution layers of varying sizes and
    numbers of channels"; leaky ReLU inside, tanh out; Adam on the cross-entropy; a discriminator of "several
    convolutional layers, a dense layer, lots of dropout, one element sigmoid"; fewer parameters in D than in G; a round
    of one D and one G update.

    Ours, where it is silent: 256 maps from the dense layer, two nearest ×2 upsamplings, 5×5 convolutions (DCGAN's
    kernel) to 128, 64, 32 and 1 maps, batch norm between them with Keras' epsilon and PyTorch's momentum (0.1: Keras'
    0.99 would not have settled in 250 rounds), not debiased, which nothing shows after some fifty updates; leaky ReLU
    of slope 0.2 as in DCGAN; Keras' initial values; in D 5×5 stride-2 convolutions of half of text 000's widths, which
    leaves it fewer parameters than G (1.08 against 2.34 million), and dropout 0.4 ("lots"); DCGAN's Adam (lr 2e-4,
    beta1 0.5; Radford et al., 2016, the text's only reference for values) with Keras' epsilon; the cross-entropy of
    logits, without Keras' clip, which acts only beyond ±16; DCGAN's uniform noise, fresh for every update; batches of
    256, a usual size of Keras' examples.
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
