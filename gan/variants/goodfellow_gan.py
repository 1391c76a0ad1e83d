"""GoodfellowGAN: the original GAN on MNIST (Goodfellow et al., 2014)."""

from gan.engine.game import AdversarialModule
from gan.engine.recipe import Recipe


class GoodfellowGAN(AdversarialModule):
    """The system of the paper's MNIST experiment, with the values of its code (goodfeli/adversarial, mnist.yaml).

    - G has two layers of 1,200 rectifiers. Its output bias is such that each pixel of the first images has that pixel's
      mean in the data.
    - D has two layers of 240 maxout units with 5 pieces each. Its dropout keeps 0.8 of the input and 0.5 of the units.
    - Both gradients are taken at the same parameters and on the same noise, U(-√3, √3).
    - Momentum SGD runs on batches of 100. Momentum rises from 0.5 to 0.7 over 250 epochs of 500 updates. The learning
      rate starts at 0.1 and is divided by 1.000004 in each update.

    Three details differ from that code. It halves D's cost; here D's learning rate is halved, which is the same under
    momentum SGD. It uses one dropout mask for both of D's looks at a fake; here each look has its own. It raises the
    momentum once an epoch; here momentum rises with each update.
    """

    defaults = Recipe(
        generator={"name": "mlp", "widths": [1200, 1200], "activation": "relu", "output": "sigmoid"},
        discriminator={
            "name": "maxout",
            "widths": [240, 240],
            "pieces": 5,
            "input_dropout": 0.2,
            "dropout": 0.5,
        },
        latent_dim=100,
        generator_weights={"name": "uniform", "bound": 0.05},
        generator_biases={"name": "constant", "value": 0.0},
        discriminator_weights={"name": "uniform", "bound": 0.005},
        discriminator_biases={"name": "constant", "value": 0.0},
        output_bias="marginals",
        prior={"name": "uniform", "bound": 3**0.5},
        loss="non_saturating",
        generator_optimizer={"name": "momentum_sgd", "lr": 0.1, "momentum": 0.5},
        discriminator_optimizer={"name": "momentum_sgd", "lr": 0.05, "momentum": 0.5},
        generator_schedules={
            "lr": {"name": "exponential_decay", "factor": 1.000004, "minimum": 1e-6},
            "momentum": {"name": "linear_ramp", "final": 0.7, "updates": 125_000},
        },
        discriminator_schedules={
            "lr": {"name": "exponential_decay", "factor": 1.000004, "minimum": 0.5e-6},
            "momentum": {"name": "linear_ramp", "final": 0.7, "updates": 125_000},
        },
        batch_size=100,
        latent="shared",
        updates="simultaneous",
    )
