"""Kuzushiji-MNIST's classes; what it shares with its kin is in test_idx_set and test_kin."""

import torchvision.datasets

from gan.data.datamodule import ImageDataModule


def test_classes_are_known_before_anything_is_read():
    data = ImageDataModule("kmnist")
    assert (data.image_shape, data.num_classes) == ((1, 28, 28), 10)
    assert list(data.class_names) == torchvision.datasets.KMNIST.classes
