"""notMNIST (Bulatov, 2011): letters A to J from thousands of fonts, as its archives, folders or idx files.

Split "hash" is about 80 % train, 10 % held out, 10 % test. A hash of the pixels decides, which is the same for an image
and its negative. So a repeated image, of which notMNIST has many, is never in two parts, and an image is in the same
part whichever source it came from. (A hash of the file's name would put copies into several parts, and idx files have
no names.) Split "full" trains on the held-out images, too.

The small archive has 18,724 readable PNGs and two that are not, the large one 529,114. Nothing is unpacked to disk (see
`archive`). What was decoded is kept in `root/notMNIST_cache`. The large set needs about 1 GB of memory.
"""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from gan.base.errors import UserError
from gan.base.notes import box, say
from gan.data.files.download import DownloadError, download
from gan.data.files.idx import idx_sha256, read_images_and_labels
from gan.data.files.names import find_file, near_misses
from gan.data.sources.glyphs.fonts import MATPLOTLIB_FAMILIES
from gan.data.sources.glyphs.glyphs import Glyphs
from gan.data.sources.idx_set import FILES
from gan.data.sources.kin import of_others, owners
from gan.data.sources.notmnist.archive import read_archive
from gan.data.sources.notmnist.cache import cached
from gan.data.sources.notmnist.folder import is_letter_folder, list_letters, read_folder
from gan.data.sources.notmnist.letters import LETTERS, SIDE, Gathering, Letters
from gan.data.sources.notmnist.split import arrange
from gan.data.split import LoadedData, Split, share_of_inverted, split_in_order

ARCHIVES = {  # name -> md5
    # Both as in github.com/pengxiang-wang/continual-learning-arena, clarena/cl_datasets/original/notmnist.py; other
    # public loaders, written apart from it, check the same. None that the set's author published is known.
    "notMNIST_small.tar.gz": "c9890a473a9769fda4bdf314aaf500dd",
    "notMNIST_large.tar.gz": "70a95b805ecfb6592c48e196df7c1499",
}
MAX_MEMBERS = {"notMNIST_small.tar.gz": 20_000, "notMNIST_large.tar.gz": 600_000}  # they have 18,726 and 529,119
MIRRORS = ["https://commondatastorage.googleapis.com/books1000/", "http://yaroslavvb.com/upload/notMNIST/"]
DOWNLOADED = "notMNIST_small.tar.gz"  # 8,458,043 bytes
FOLDERS = ("notMNIST", "notmnist", "not_mnist", ".")  # below the root; itself last, as it may hold another set's files
UNPACKED = ("notMNIST_small", "notMNIST_large", ".")  # below each of these
WANTED = (*FILES, *ARCHIVES)  # files that may lie in these folders
CACHE = "notMNIST_cache"
MAX_IDX_BYTES = 2**29  # the large set's images have 414,825,376


class NotMNIST:
    """28x28 grey letters, 0 (paper) to 255 (ink): nearly all bright on dark.

    Whatever the options are, the provenance says how many of the images read are inverted (`split.is_inverted`) and
    how many repeat another one.

    Args:
        polarity: "keep" leaves inverted images, "normalise" makes them bright on dark.
        duplicates: "remove" keeps one of those with the same pixels, that of the first letter of the alphabet.
        inverted: share of the images, 0 to 1, that are made black on white. Their pixels decide which ones.
    """

    name = "notmnist"
    image_shape = (1, SIDE, SIDE)
    class_names = tuple(LETTERS)
    sources = ("auto", "idx", "folder", "archive", "download", "glyphs")
    splits = ("hash", "full")
    elsewhere = ("glyphs",)  # see Dataset
    root_is_given = False  # see Dataset

    def __init__(
        self,
        *,
        polarity: Literal["keep", "normalise"] = "keep",
        duplicates: Literal["keep", "remove"] = "keep",
        inverted: float = 0.0,
    ) -> None:
        self.polarity, self.duplicates, self.inverted = polarity, duplicates, share_of_inverted(inverted, self.name)
        self.download_failure = "no download was tried"

    def prepare(self, root: Path, source: str) -> None:
        """Download the small archive if the source asks for it and it is not there; decode PNGs into the cache."""
        if source == "glyphs":
            return self._refuse_glyphs_options()
        found = find(root, source)
        if found is None and source == "auto" and self.root_is_given and near_misses(root, WANTED):
            raise UserError(_nothing_found(root, source))
        if found is None and source in ("auto", "download"):
            try:
                download([(DOWNLOADED, ARCHIVES[DOWNLOADED])], MIRRORS, root)
            except DownloadError as error:
                self.download_failure = f"download failed: {error}"
                if source == "auto" and not self.root_is_given:
                    return
                raise UserError(
                    f"notmnist: {self.download_failure}; put {DOWNLOADED} into {root} by hand, or use "
                    "--data.source glyphs (letters rendered here)"
                ) from None
            found = find(root, source)
        if found is None:
            raise UserError(_nothing_found(root, source))
        if found[0] != "idx":
            read(*found, root)

    def load(self, root: Path, source: str, split: str) -> LoadedData:
        """Read and check the images. A downloaded archive is an archive like any other: its source is "archive".

        Where nothing is found, source "auto" says so in a box and returns the data set `glyphs`, under its own name.
        """
        if source == "glyphs":
            self._refuse_glyphs_options()
        found = None if source == "glyphs" else find(root, source)
        if found is None and (source == "glyphs" or (source == "auto" and not self.root_is_given)):
            return self._glyphs(root, source, split)
        if found is None:
            raise UserError(_nothing_found(root, source))
        letters = read(*found, root)
        normalise, unique = self.polarity == "normalise", self.duplicates == "remove"
        arranged = arrange(letters, normalise=normalise, unique=unique, inverted_share=self.inverted)
        if not all(arranged.counts.values()):
            counts = ", ".join(f"{part} {count}" for part, count in arranged.counts.items())
            raise UserError(f"{found[1]}: too few images: {counts}, each part needs one; is the set complete?")
        options = {"polarity": self.polarity, "duplicates": self.duplicates, "inverted": str(self.inverted)}
        processing = {option: value for option, value in options.items() if value not in ("keep", "0.0")}
        images, labels = torch.from_numpy(arranged.images)[:, None], torch.from_numpy(arranged.labels).long()
        return LoadedData(
            self.name,
            found[0],
            *split_in_order(Split(images, labels), arranged.counts, train_on_held_out=split == "full"),
            split=split,
            files=letters.files,
            official=letters.official,
            held_out_is_trained_on=split == "full",
            evaluator="notmnist",
            processing=processing,
            about={
                "unreadable": letters.unreadable,
                "polarity": self.polarity,
                "inverted": arranged.inverted,
                "made_inverted": self.inverted,
                "duplicates": {
                    "mode": self.duplicates,
                    "images": arranged.repeated,
                    "with_other_label": arranged.repeated_otherwise,
                },
            },
        )

    def _refuse_glyphs_options(self) -> None:
        if (self.polarity, self.duplicates, self.inverted) != ("keep", "keep", 0):
            given = f"polarity={self.polarity}, duplicates={self.duplicates} and inverted={self.inverted}"
            raise UserError(
                f"notmnist: {given}: rendered letters lack these options; leave them away, or --data.source"
            )

    def _glyphs(self, root: Path, source: str, split: str) -> LoadedData:
        glyphs = Glyphs()
        loaded = glyphs.load(root, "matplotlib", "full" if split == "full" else glyphs.splits[0])
        if source == "auto":
            say(box(_glyphs_warning(loaded.counts, root, self.download_failure)))
        else:
            say("notmnist: rendered letters (data set glyphs), as asked for by --data.source glyphs")
        return loaded


def find(root: Path, source: str) -> tuple[str, Path] | None:
    """Kind (idx, folder or archive) and path of what is there, the first in this order of those that `source` allows.

    An idx path is the folder of the files. A download is the small archive in the root itself.
    """
    try:
        return _find(root, source)
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be looked into ({error.strerror}); check its rights") from None


def _find(root: Path, source: str) -> tuple[str, Path] | None:
    if source == "download":
        return ("archive", root / DOWNLOADED) if (root / DOWNLOADED).is_file() else None
    folders = [root / folder for folder in FOLDERS]
    if source in ("auto", "idx"):
        for folder in folders:
            if any(find_file(folder, name).exists() for name in FILES):
                return "idx", folder
    if source in ("auto", "folder"):
        for folder in (folder / unpacked for folder in folders for unpacked in UNPACKED):
            if is_letter_folder(folder):
                return "folder", folder
    if source in ("auto", "archive"):
        for path in (folder / name for name in ARCHIVES for folder in folders):
            if path.is_file():
                return "archive", path
    return None


def read(kind: str, path: Path, root: Path) -> Letters:
    """All letters of a source that `find` found; those of PNGs from the cache if it has them."""
    if kind == "idx":
        return read_idx_pairs(path)
    cache = root / CACHE / ("-".join((kind, *path.relative_to(root).parts)) + ".safetensors")
    gathering = Gathering(path)
    if kind == "folder":
        listing = list_letters(path)

        def gather() -> Letters:
            digest = hashlib.sha256()
            for name, label, content in read_folder(listing):
                digest.update(name.encode(errors="surrogateescape") + b"\0" + hashlib.sha256(content).digest())
                gathering.add(name, label, content)
            return gathering.finish({"pictures": digest.hexdigest()}, "unknown")

        return cached(cache, listing.key, gather)

    status = path.stat()

    def unpack() -> Letters:
        try:
            md5, sha256 = _md5_and_sha256(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); check its rights") from None
        if not (official := md5 == ARCHIVES[path.name]):  # it is said before anything of it is parsed
            say(f"warning: {path}: not the official archive: its md5 is {md5} (noted in the provenance)")
        for name, label, content in read_archive(path, MAX_MEMBERS[path.name]):
            gathering.add(name, label, content)
        try:
            after = path.stat()
        except OSError as error:
            raise UserError(f"{path}: cannot be read a second time ({error.strerror}); put it back") from None
        if (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
            raise UserError(f"{path}: changed while it was read; start again when it is complete")
        return gathering.finish({path.name: sha256}, official)

    return cached(cache, f"{status.st_size} {status.st_mtime_ns}", unpack)


def read_idx_pairs(folder: Path) -> Letters:
    """The images of the pairs "train" and "t10k", one or both; UserError for half a pair and another set's files."""
    pairs = []
    files: dict[str, str] = {}
    for part in ("train", "t10k"):
        names = [f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"]
        missing = [name for name in names if not find_file(folder, name).exists()]
        if len(missing) == 1:
            raise UserError(f"{folder}: {missing[0]} missing (raw or .gz) beside its companion; add it")
        if missing:
            continue
        pair = read_images_and_labels(
            *(find_file(folder, name) for name in names),
            image_shape=(SIDE, SIDE),
            num_classes=len(LETTERS),
            max_bytes=MAX_IDX_BYTES,
        )
        files |= dict(zip(names, map(idx_sha256, pair), strict=True))
        pairs.append(pair)
    if others := of_others(owners(folder, files)):
        theirs, other = others
        raise UserError(
            f"{folder}: {theirs} are {other}, not notMNIST's letters; put the letters into {folder / 'notMNIST'}, or "
            "point --data.root at them"
        )
    images, labels = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    return Letters(images, labels, files, "unknown", {"count": 0, "files": {}})


def _md5_and_sha256(path: Path) -> tuple[str, str]:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(2**20):
            md5.update(chunk)
            sha256.update(chunk)
    return md5.hexdigest(), sha256.hexdigest()


def _nothing_found(root: Path, source: str) -> str:
    needed = {
        "auto": f"idx files, folders A to J of PNGs, {' or '.join(ARCHIVES)}",
        "idx": "idx files (t10k-images-idx3-ubyte[.gz] and its companion, or the pair of train)",
        "folder": "folders A to J of PNGs",
        "archive": " or ".join(ARCHIVES),
        "download": DOWNLOADED,
    }[source]
    return (
        f"notmnist: no {needed} in {root} (nor in its {', '.join(FOLDERS[:-1])}){near_misses(root, WANTED)}; "
        "put them there, point --data.root at them, or give --data.source=download"
    )


def _glyphs_warning(counts: dict[str, int], root: Path, failure: str) -> list[str]:
    fonts = sum(map(len, MATPLOTLIB_FAMILIES.values()))
    return [
        f"WARNING: THIS IS NOT notMNIST but the data set glyphs, letters A to J rendered here from {fonts} fonts: "
        f"{counts['train']:,} to train on, {counts['held_out']:,} held out, {counts['test']:,} to test.",
        f"Why: no idx files, folders A to J or archives of notMNIST in {root}; {failure}.",
        "Numbers from this run are stamped `data_set: glyphs` and do not compare with those of notMNIST. Its options "
        "do not apply.",
        f"For the real set, put {DOWNLOADED} into a folder DIR and pass --data.root DIR.",
    ]
