"""Paths that a person gave: made absolute and expanded once, so that no library reads them in another way later."""

import os
import re
import unicodedata
from pathlib import Path

from gan.base.errors import UserError

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # NUL and other control characters, bytes that are not UTF-8, line breaks


def absolute(path: object, what: str) -> Path:
    """The absolute path, with `~` expanded; links stay as they are. Nothing has to exist there.

    UserError, which begins with `what`, for what is no path, for characters that no name should have, for names that
    are too long, and for what a shell or a library would read as something else: `$HOME`, `a::b`, `s3://x`, `file:x`.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise UserError(f"{what} must be a path, got {path!r}")
    shown = f"{what} {text!r}:"
    if not text:
        raise UserError(f"{what} must be a path, got an empty text; . is the working directory")
    if any(unicodedata.category(letter) in UNPRINTABLE for letter in text):
        raise UserError(f"{shown} holds a control character, a line break, or bytes that are not UTF-8; rename it")
    if re.search(r"\$\w|\$\{", text):
        raise UserError(f"{shown} $ is not expanded here; write ~ for the home directory, or let the shell expand it")
    if re.match(r"\w[\w.+-]*:", text) or "://" in text:
        raise UserError(f"{shown} reads as an address, and only local files are used; a file of that name is ./NAME")
    expanded = os.path.expanduser(text)
    if expanded.startswith("~"):
        raise UserError(f"{shown} no home directory of that user is known; give the whole path")
    found = os.path.abspath(expanded)
    if "::" in found:
        raise UserError(f"{shown} libraries read :: as a chain of addresses; give a path without it")
    try:
        os.lstat(found)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise UserError(f"{shown} cannot be used ({error.strerror}); give another path") from None
    return Path(found)
