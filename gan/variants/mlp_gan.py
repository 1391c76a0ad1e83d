"""MLPGAN: a fully connected GAN for MNIST (text 001, TensorFlow 1, after Goodfellow's pylearn2 code)."""

from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe


class MLPGAN(AdversarialModule):
    """The GAN of text 001, value for value. Its errata are in docs/errata.md.

    Both networks learn by momentum SGD with a decaying learning rate and a momentum ramp. Each batch has one D and one
    G update, on the same noise. The loss is the non-saturating one.

    Two places differ from the text's code. The text builds L2 regularizers and never adds them to an objective, so
    there are none here; their literal weight is `generator_penalties: {l2: 0.8}`, and the same for the discriminator.
    The text takes the log of a sigmoid, which overflows once D is sure; here D returns logits, and the mathematics is
    the same.
    """

    defaults = Recipe(
        generator={
            "name": "mlp",
            "widths": [1200, 1200],
            "activation": {"name": "leaky_relu", "slope": 0.2},
            "output": "sigmoid",
        },
        discriminator={
            "name": "mlp",
            "widths": [200, 200],  # narrower than the generator: "this appears to matter"
            "activation": {"name": "leaky_relu", "slope": 0.2},
            "dropout": 0.0,
        },
        latent_dim=100,
        generator_weights={"name": "uniform", "bound": 0.05},
        generator_biases={"name": "constant", "value": 0.1},
        discriminator_weights={"name": "uniform", "bound": 0.005},
        discriminator_biases={"name": "constant", "value": 0.1},
        prior="normal",
        loss="non_saturating",
        generator_optimizer={"name": "momentum_sgd", "lr": 0.01, "momentum": 0.5},
        discriminator_optimizer={"name": "momentum_sgd", "lr": 0.01, "momentum": 0.5},
        generator_schedules={
            "lr": {"name": "exponential_decay", "factor": 1.000004, "minimum": 1e-6},
            "momentum": {"name": "linear_ramp", "final": 0.7, "updates": 250},
        },
        discriminator_schedules={
            "lr": {"name": "exponential_decay", "factor": 1.000004, "minimum": 1e-6},
            "momentum": {"name": "linear_ramp", "final": 0.7, "updates": 250},
        },
        batch_size=128,
        latent="shared",
    )
