"""What lies in a folder of pictures: its parts, its classes and the files to read; bounded, and never outside it."""

import hashlib
import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from gan.base.errors import UserError
from gan.data.files.pictures import SUFFIXES

MAX_FILES = 1_000_000  # in the folder, whatever they are
PARTS = {  # name of a folder, in small letters -> the part that its pictures are
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "held_out"),
    **dict.fromkeys(("test", "testing"), "test"),
}


class Layout(NamedTuple):
    """Where the pictures lie: the folder of each part that has one, and the classes, which all of these share.

    A part without a folder is taken from that of `train`.
    """

    folders: dict[str, Path]
    class_names: tuple[str, ...]


class Picture(NamedTuple):
    """A file to read. `name` says where it lies below the root, and `part` in which part's folder."""

    name: str
    path: Path
    label: int
    part: str


@dataclass
class Listing:
    """Files with a picture's suffix, and what was left out."""

    files: list[Picture] = field(default_factory=list)
    ignored: int = 0  # hidden files and others without a picture's suffix
    links: list[str] = field(default_factory=list)  # that lead out of the folder, or nowhere


def find_layout(root: Path, test: Path | None) -> Layout:
    """Return the parts and the classes of a folder. `test` is a folder of test pictures elsewhere.

    Sub-folders whose names are all in `PARTS` are parts, and the classes are the sub-folders of these. Raises UserError
    where names of parts are mixed with others, where there are no pictures for training or none for the test, and where
    two parts have other classes.
    """
    sub_folders, pictures = _contents(root)
    named: dict[str, Path] = {}
    for name in sub_folders:
        if (part := PARTS.get(name.lower())) is None:
            continue
        if part in named:
            raise UserError(f"{root}: {named[part].name!r} and {name!r} are two folders for one part; join them")
        named[part] = root / name
    others = [name for name in (*sub_folders, *pictures) if name.lower() not in PARTS]
    if named and others:
        split = next(iter(named.values())).name
        raise UserError(
            f"{root}: {split!r} is the name of a split, {others[0]!r} is not: if {split!r} is a class, rename it; if "
            f"it is a split, take all else away, so that only train, val and test are left"
        )
    if named and "train" not in named:
        raise UserError(f"{root}: has {', '.join(path.name for path in named.values())} and no train; add it")
    if named and test is None and "test" not in named:
        raise UserError(
            f"{root}: has {', '.join(path.name for path in named.values())} and no test; name its folder with "
            f"--data.test=DIR, or give --data.root={named['train']} to take test pictures from it"
        )
    if test is not None and "test" in named:
        raise UserError(f"{root}: has {named['test'].name!r}, and --data.test={test} names another; remove one of them")
    folders = named or {"train": root}
    folders |= {} if test is None else {"test": test}
    classes = {part: find_classes(folder) for part, folder in folders.items()}
    for part, names in classes.items():
        if names != classes["train"]:
            odd = sorted(set(names) ^ set(classes["train"]))
            raise UserError(
                f"{folders[part]}: has other classes than {folders['train']} ({', '.join(map(repr, odd[:3]))}); give "
                "both the same sub-folders"
            )
    return Layout(folders, classes["train"])


def find_classes(folder: Path) -> tuple[str, ...]:
    """Names of the sub-folders, sorted; none where the pictures lie in the folder itself.

    Raises UserError where there is neither, or both.
    """
    sub_folders, pictures = _contents(folder)
    if sub_folders and pictures:
        raise UserError(
            f"{folder}: holds pictures ({pictures[0]!r}, …) beside sub-folders ({sub_folders[0]!r}, …); "
            "give every picture a sub-folder, its class, or none of them"
        )
    if not sub_folders and not pictures:
        raise UserError(
            f"{folder}: no pictures in it ({len(_entries(folder))} other files), nor sub-folders of pictures; point "
            f"--data.root at a folder with files that end in {', '.join(SUFFIXES)}, or with one sub-folder of these "
            "per class"
        )
    return tuple(sub_folders)


def find_pictures(root: Path, layout: Layout) -> Listing:
    """The pictures of each part and class.

    They come in the order of a hash of their names, so that any stretch of them has its share of every class.
    """
    listing, seen = Listing(), 0
    for part, folder in layout.folders.items():
        inside = folder.is_relative_to(root)
        real_root = os.path.realpath(root if inside else folder)
        above = folder.relative_to(root).as_posix() if inside else "test:"  # the same wherever that folder lies
        for label, class_name in enumerate(layout.class_names or [""]):
            place = "/".join(name for name in (above, class_name) if name not in ("", "."))
            entries = _entries(folder / class_name, MAX_FILES - seen)
            seen += len(entries)
            pictures, links = [], []
            for entry in entries:
                below = f"{place}/{entry.name}" if place else entry.name
                if _is_folder(entry):
                    raise UserError(f"{root}: {below!r} is a folder in a class's folder; only one level of it is read")
                if not _is_picture(entry):
                    continue
                if entry.is_symlink() and not _leads_inside(entry.path, real_root):
                    links.append(below)
                elif os.path.isfile(entry.path):  # no pipe, no socket
                    pictures.append(Picture(below, Path(entry.path), label, part))
            ignored = len(entries) - len(pictures) - len(links)
            if not pictures:
                raise UserError(
                    f"{folder / class_name}: no pictures in it, only {len(links)} links that lead out of {folder} and "
                    f"{ignored} other files; add some, or take it away"
                )
            listing.files += pictures
            listing.links += links
            listing.ignored += ignored
    listing.files.sort(key=lambda file: hashlib.sha256(os.fsencode(file.name)).digest())
    return listing


def _contents(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the sub-folders and of the pictures in a folder, sorted."""
    entries = _entries(folder)
    folders = [entry.name for entry in entries if _is_folder(entry)]
    return folders, [entry.name for entry in entries if entry.name not in folders and _is_picture(entry)]


def _entries(folder: Path, limit: int = MAX_FILES) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted by name; UserError beyond `limit`, or where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            found = list(islice(entries, limit + 1))
    except OSError as error:
        raise UserError(f"{folder}: not a folder that can be listed ({error.strerror}); check --data.root") from None
    if len(found) > limit:
        raise UserError(f"{folder}: more than {MAX_FILES:,} files; divide them, or train on fewer")
    return sorted(found, key=lambda entry: entry.name)


def _is_picture(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.name.lower().endswith(SUFFIXES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder that is not hidden; UserError for a link to one."""
    if entry.name.startswith("."):
        return False
    if entry.is_symlink() and os.path.isdir(entry.path):
        raise UserError(f"{entry.path}: a link to a folder; these are not followed: put the folder itself there")
    return entry.is_dir(follow_symlinks=False)


def _leads_inside(path: str, real_root: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(real_root)
