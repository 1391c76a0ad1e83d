"""Downloads with bounds on size, silence and time. What arrives is verified, and never half written."""

import hashlib
import http.client
import os
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin, urlsplit

MAX_BYTES = 32 * 2**20  # of one file; the largest, of Fashion-MNIST, has 26.4 million
SILENCE_SECONDS = 10.0  # longest wait for a connection or for the next bytes
FILE_SECONDS = 300.0  # longest time for one file
CHUNK_BYTES = 2**16


class DownloadError(Exception):
    """Why a file could not be had, in one line."""


def download(files: Sequence[tuple[str, str]], mirrors: Sequence[str], folder: Path) -> None:
    """Fetch each (name, md5) from the first mirror that has it; nothing is written before all have arrived."""
    contents = {name: _fetch_from_any(name, md5, mirrors) for name, md5 in files}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-", ignore_cleanup_errors=True) as stage:
            for name, content in contents.items():
                _write(Path(stage) / name, content)
            for name in contents:
                os.replace(Path(stage) / name, folder / name)
    except OSError as error:
        raise DownloadError(f"cannot write to {folder} ({error.strerror or error})") from None


def _fetch_from_any(name: str, md5: str, mirrors: Sequence[str]) -> bytes:
    reasons = []
    for mirror in mirrors:
        try:
            return _fetch(urljoin(mirror, name), md5)
        except (OSError, http.client.HTTPException, DownloadError) as error:
            reasons.append(f"{urlsplit(mirror).netloc}: {getattr(error, 'reason', None) or error}")
    raise DownloadError(f"{name} from {'; '.join(reasons)}")


def _fetch(url: str, md5: str) -> bytes:
    deadline = time.monotonic() + FILE_SECONDS
    content = bytearray()
    with urllib.request.urlopen(url, timeout=SILENCE_SECONDS) as response:
        while chunk := response.read1(CHUNK_BYTES):
            content += chunk
            if len(content) > MAX_BYTES:
                raise DownloadError(f"sends more than {MAX_BYTES:,} bytes")
            if time.monotonic() > deadline:
                raise DownloadError(f"not done after {FILE_SECONDS:.0f} s")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DownloadError(f"sent {len(content):,} bytes that are not the file (wrong md5)")
    return bytes(content)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
