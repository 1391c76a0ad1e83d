"""Data: what the discriminator calls real. `ImageDataModule` is the door; data sets stand in `dataset.DATASETS`."""
