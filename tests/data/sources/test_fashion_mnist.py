"""Fashion-MNIST's classes; what it shares with its kin is in test_idx_set and test_kin."""

from gan.data.datamodule import ImageDataModule


def test_classes_are_known_before_anything_is_read():
    data = ImageDataModule("fashion_mnist")
    assert (data.image_shape, data.num_classes) == ((1, 28, 28), 10)
    assert (data.class_names[0], data.class_names[7], data.class_names[9]) == ("T-shirt/top", "Sneaker", "Ankle boot")
