"""Files of one set in another one's place: all have the same names."""

import gzip

import pytest

from gan.base.errors import UserError
from gan.data.dataset import DATASETS
from gan.data.files.idx import idx_sha256, read_idx
from gan.data.sources import kin
from gan.data.sources.idx_set import FILES

SETS = {"fashion_mnist": kin.CLOTHES, "kmnist": kin.CHARACTERS, "mnist": kin.DIGITS}


def get(name, root):
    dataset = DATASETS[name]()
    dataset.prepare(root, "idx")
    return dataset.load(root, "idx", dataset.splits[0])


OTHERS = [(name, asked) for name in SETS for asked in (*SETS, "notmnist") if asked != name]


@pytest.mark.parametrize(("name", "asked"), [*OTHERS, ("kmnist", "stacked_mnist")])
def test_another_sets_files_are_refused(name, asked, small, publish, monkeypatch):
    if name == "mnist":
        for file in FILES:
            monkeypatch.setitem(kin.OFFICIAL_SHA256, file, idx_sha256(read_idx(small / f"{file}.gz")))
    else:
        publish(SETS[name].published)
    with pytest.raises(UserError, match=rf"small: {', '.join(FILES)} are {SETS[name]}, not .*--data") as caught:
        get(asked, small)
    assert "\n" not in str(caught.value)
    assert asked == "notmnist" or f"use --data.name {name}, or point --data.root" in str(caught.value)


def test_one_file_of_four_is_enough(small, monkeypatch):
    monkeypatch.setitem(kin.OFFICIAL_SHA256, FILES[3], idx_sha256(read_idx(small / f"{FILES[3]}.gz")))
    with pytest.raises(UserError, match=rf"small: {FILES[3]} are MNIST's digits, not Kuzushiji-MNIST's characters"):
        get("kmnist", small)


def test_files_that_are_not_gzipped_as_published_are_not_known(small, publish):
    publish("KMNIST")
    for path in list(small.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert get("mnist", small).provenance["official"] is False
    assert get("fashion_mnist", small).provenance["official"] == "unknown"


def test_the_real_digits_are_refused(mnist_root):
    with pytest.raises(UserError, match=r"are MNIST's digits.*use --data\.name mnist"):
        get("kmnist", mnist_root)
