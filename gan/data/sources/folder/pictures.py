"""What lies in a folder of pictures: its classes and the files to read; bounded, and never outside the folder."""

import hashlib
import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from gan.base.errors import UserError
from gan.data.files.pictures import SUFFIXES

MAX_FILES = 1_000_000  # in the folder, whatever they are


@dataclass
class Listing:
    """Files with a picture's suffix, and what was left out."""

    files: list[tuple[str, int]] = field(default_factory=list)  # (name below the root, label)
    ignored: int = 0  # hidden files and others without a picture's suffix
    links: list[str] = field(default_factory=list)  # that lead out of the folder, or nowhere


def find_classes(root: Path) -> tuple[str, ...]:
    """Names of the sub-folders, sorted; none where the pictures lie in `root` itself.

    Raises UserError where there is neither, or both.
    """
    entries = _entries(root)
    folders, pictures = [], []
    for entry in entries:
        if _is_folder(entry):
            folders.append(entry)
        elif _is_picture(entry):
            pictures.append(entry)
    if folders and pictures:
        raise UserError(
            f"{root}: holds pictures ({pictures[0].name!r}, …) beside sub-folders ({folders[0].name!r}, …); "
            "give every picture a sub-folder, its class, or none of them"
        )
    if not folders and not pictures:
        raise UserError(
            f"{root}: no pictures in it ({len(entries)} other files), nor sub-folders of pictures; point --data.root "
            f"at a folder with files that end in {', '.join(SUFFIXES)}, or with one sub-folder of these per class"
        )
    return tuple(folder.name for folder in folders)


def find_pictures(root: Path, class_names: tuple[str, ...]) -> Listing:
    """The pictures of each class, or of `root` itself where there are no classes.

    They come in the order of a hash of their names, so that any stretch of them has its share of every class.
    """
    real_root, listing, seen = os.path.realpath(root), Listing(), 0
    for label, name in enumerate(class_names or [""]):
        entries = _entries(root / name, MAX_FILES - seen)
        seen += len(entries)
        pictures, links = [], []
        for entry in entries:
            below = f"{name}/{entry.name}" if name else entry.name
            if _is_folder(entry):
                raise UserError(f"{root}: {below!r} is a folder in a class's folder; only one level of folders is read")
            if not _is_picture(entry):
                continue
            if entry.is_symlink() and not _leads_inside(entry.path, real_root):
                links.append(below)
            elif os.path.isfile(entry.path):  # no pipe, no socket
                pictures.append((below, label))
        ignored = len(entries) - len(pictures) - len(links)
        if not pictures:
            raise UserError(
                f"{root / name}: no pictures in it, only {len(links)} links that lead out of {root} and {ignored} "
                "other files; add some, or take it away"
            )
        listing.files += pictures
        listing.links += links
        listing.ignored += ignored
    listing.files.sort(key=lambda file: hashlib.sha256(os.fsencode(file[0])).digest())
    return listing


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
