"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747): idx files on disk, else a download."""

from gan.data.sources.idx_set import COUNTS, HELD_OUT, IdxSet
from gan.data.sources.kin import CLOTHES


class FashionMNIST(IdxSet):
    """28x28 grey pictures of clothes, 0 (background) to 255; the splits are MNIST's."""

    name = "fashion_mnist"
    class_names = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    sources = ("auto", "idx", "download")
    kin = CLOTHES
    folders = ("fashion_mnist", "fashion")

    def __init__(self) -> None:
        super().__init__(COUNTS, HELD_OUT)
