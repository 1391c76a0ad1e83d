"""Finds damage in a checkpoint's file. PyTorch writes the CRC of each part, but does not look at it when it reads."""

import zipfile
from pathlib import Path

MAX_MEMBERS = 100_000  # of a checkpoint; each tensor is one


def damage(path: Path) -> str | None:
    """Return what is wrong with the file of a checkpoint, in a few words, or None. All of it is read, nothing is run.

    The time is bounded by the file's size: members are refused that are compressed, overlap or are too many.
    """
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
            if not stored or sum(member.file_size for member in members) > path.stat().st_size:
                return "its parts are not stored as PyTorch stores them"
            if len(members) > MAX_MEMBERS:
                return f"it has {len(members)} parts, more than {MAX_MEMBERS}"
            if len({member.filename for member in members}) < len(members):  # checked by name, one would be left out
                return "two of its parts have one name"
            if bad := file.testzip():
                return f"the checksum of {bad!r} is another"
        _open_as_pytorch_does(path)
        return None
    except Exception as error:  # damaged or hostile bytes may raise anything
        return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")[:160]


def _open_as_pytorch_does(path: Path) -> None:
    """Raise what PyTorch's own reader says of an archive. It looks at more of its directory than Python's does."""
    import torch  # takes seconds; whoever asks is about to read the file with it

    torch._C.PyTorchFileReader(str(path))
