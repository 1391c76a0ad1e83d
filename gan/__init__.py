"""Train, measure and compare small-image GANs on PyTorch Lightning."""

__version__ = "0.1.0"
