"""Folders A to J of PNGs, as notMNIST's archives unpack: listed, bounded, read in the order of their names."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from gan.base.errors import UserError
from gan.base.notes import is_first_process
from gan.data.sources.notmnist.letters import LETTERS, MAX_FILE_BYTES, MAX_FILES

BAR_FROM = 2_000  # files: fewer are read in a second


@dataclass(frozen=True)
class LetterFiles:
    """What lies in a folder of letters: (name, label) of each PNG, and a digest of names, sizes and times."""

    folder: Path
    files: list[tuple[str, int]]
    key: str


def is_letter_folder(folder: Path) -> bool:
    """Whether any of the sub-folders A to J is there."""
    return any((folder / letter).is_dir() for letter in LETTERS)


def list_letters(folder: Path) -> LetterFiles:
    """The PNGs in A to J, hidden and other files passed over; UserError for links and for missing letters."""
    files: list[tuple[str, int]] = []
    digest = hashlib.sha256()
    try:
        for label, letter in enumerate(LETTERS):
            if (folder / letter).is_symlink():
                raise UserError(f"{folder / letter}: a link; these are not followed: put the folder itself there")
            with os.scandir(folder / letter) as entries:
                named = (entry for entry in entries if entry.name.endswith(".png") and not entry.name.startswith("."))
                pngs = list(islice(named, MAX_FILES - len(files) + 1))
            if len(files) + len(pngs) > MAX_FILES:
                raise UserError(f"{folder}: more than {MAX_FILES:,} PNGs; is it notMNIST?")
            for entry in sorted(pngs, key=lambda entry: entry.name):
                if not entry.is_file(follow_symlinks=False):
                    raise UserError(f"{folder}: '{letter}/{entry.name}' is a link or no file; put the PNG itself there")
                status, name = entry.stat(), f"{letter}/{entry.name}"
                digest.update(os.fsencode(name) + b"\0%d %d\n" % (status.st_size, status.st_mtime_ns))
                files.append((name, label))
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: no such folder, though there are others of A to J beside it; unpack the archive anew"
        ) from None
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be listed ({error.strerror}); check its rights") from None
    return LetterFiles(folder, files, digest.hexdigest())


def read_folder(listing: LetterFiles) -> Iterator[tuple[str, int, bytes]]:
    """Name ("A/….png"), label and content of each PNG, of which at most one byte more than allowed is read."""
    hidden = len(listing.files) < BAR_FROM or not is_first_process()
    desc = f"reading {listing.folder.name}"
    for name, label in tqdm(listing.files, desc=desc, unit="file", disable=hidden, mininterval=0.5):
        path = listing.folder / name
        try:
            with path.open("rb") as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); check its rights") from None
        yield name, label, content
