"""Kuzushiji-MNIST (Clanuwat et al., 2018, arXiv:1812.01718): idx files on disk, else a download."""

from gan.data.sources.idx_set import COUNTS, HELD_OUT, IdxSet
from gan.data.sources.kin import CHARACTERS


class KMNIST(IdxSet):
    """28x28 grey characters of cursive Japanese, 0 (paper) to 255 (ink); the splits are MNIST's."""

    name = "kmnist"
    class_names = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    sources = ("auto", "idx", "download")
    kin = CHARACTERS
    folders = ("kmnist", "kuzushiji")

    def __init__(self) -> None:
        super().__init__(COUNTS, HELD_OUT)
