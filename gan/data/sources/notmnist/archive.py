"""A .tar.gz of letters, read as a stream: nothing is ever extracted to disk, nothing is inflated beyond its bound."""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from tqdm import tqdm

from gan.base.errors import UserError
from gan.base.notes import is_first_process
from gan.data.files.idx import GZIP_MAGIC
from gan.data.sources.notmnist.letters import LETTERS, MAX_FILE_BYTES, MAX_FILES

# tarfile's regular expressions take time quadratic in the length of a header (CVE-2024-6232): 9 ms for 3,000 digits.
MAX_HEADERS_BYTES = 2**12  # of one member: its own 512, and those with a long name, times or attributes
MEAN_HEADERS_BYTES = 1536  # over all members: 512, and one more header with up to 512 bytes of content
SLACK_BYTES = 2**18  # so much more than the mean is allowed, in all
MAX_TAIL_BYTES = 2**16  # of zeros behind the last member; tar pads to 10,240
MAX_TOTAL_BYTES = 2 * 2**30  # of the inflated archive; the large one has about 0.6
MAX_RATIO = 50  # of what is inflated to what is read; PNGs are compressed already, and real archives have 3
RATIO_FROM = 2**23  # inflated bytes: smaller archives are read at once
BAR_FROM = 2**20  # bytes of the archive: smaller ones are read at once
LETTER = re.compile(r"(?:\./)?(?:notMNIST_(?:small|large)/)?([A-J])/([^/.][^/]*\.png)", re.DOTALL)
TARGET = "/nowhere/notMNIST"  # members are checked as if extracted to it; nothing is


def read_archive(path: Path, max_members: int = MAX_FILES) -> Iterator[tuple[str, int, bytes]]:
    """Name ("A/….png"), label and content of each PNG in a letter's folder, in the archive's order.

    Other ordinary files are passed over. UserError for links, devices, paths that lead out of the archive's folder,
    members or archives beyond the bounds, and whatever is damaged or no .tar.gz.
    """
    try:
        with path.open("rb") as raw:
            yield from _members(raw, path, max_members)
    except UserError:
        raise
    except EOFError:
        raise UserError(f"{path}: truncated: its gzip data end too early; fetch the archive again") from None
    except tarfile.TarError as error:
        raise UserError(f"{path}: no tar archive, or a damaged one ({error}); fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path}: damaged gzip data ({error}); fetch the archive again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check the path and its rights") from None
    except Exception as error:  # hostile headers raise whatever tarfile meets
        raise UserError(f"{path}: damaged tar headers ({type(error).__name__}); fetch the archive again") from None


def _members(raw: IO[bytes], path: Path, max_members: int) -> Iterator[tuple[str, int, bytes]]:
    if not hasattr(tarfile, "data_filter"):
        raise UserError(f"{path}: reading archives safely needs Python 3.11.4 or later; unpack it, or update Python")
    magic = raw.read(2)
    if magic != GZIP_MAGIC:
        what = f"it begins with 0x{magic.hex()}, gzip with 0x{GZIP_MAGIC.hex()}" if magic else "it is empty"
        raise UserError(f"{path}: no .tar.gz: {what}; fetch the archive again")
    size = raw.seek(0, 2)
    raw.seek(0)
    meter = _Meter(raw, path)
    hidden = size < BAR_FROM or not is_first_process()
    bar = tqdm(total=size, desc=f"reading {path.name}", unit="B", unit_scale=True, disable=hidden, mininterval=0.5)
    # It reads block by block, nothing ahead, so that the meter knows what is whose.
    with bar, tarfile.open(fileobj=cast(IO[bytes], meter), mode="r|", bufsize=tarfile.BLOCKSIZE) as tar:
        stream = cast(IO[bytes], tar.fileobj)
        count = headers = end = 0
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it keeps them all: 1 kB each
            cast(dict[str, str], tar.pax_headers).clear()  # global headers, which it copies for every member
            if (count := count + 1) > (most := min(max_members, MAX_FILES)):
                raise UserError(f"{path}: more than {most:,} members; is it notMNIST's archive?")
            headers += stream.tell() - end
            if headers > count * MEAN_HEADERS_BYTES + SLACK_BYTES:
                raise UserError(
                    f"{path}: the headers of {count:,} members have {headers:,} bytes, on average at most "
                    f"{MEAN_HEADERS_BYTES:,} are allowed; fetch the original archive"
                )
            end = tar.offset  # of this member's content, with its padding; a hostile header may set it anywhere
            meter.limit = min(end, meter.total + MAX_FILE_BYTES + tarfile.BLOCKSIZE) + MAX_HEADERS_BYTES
            if letter := _check(member, path):
                content = cast(IO[bytes], tar.extractfile(member)).read()
                yield f"{letter[1]}/{letter[2]}", LETTERS.index(letter[1]), content
            bar.update(raw.tell() - bar.n)
        meter.limit = meter.total + MAX_TAIL_BYTES
        meter.what = f"what follows its last member exceeds {MAX_TAIL_BYTES:,} bytes"
        _finish(stream, path)
        bar.update(size - bar.n)


def _check(member: tarfile.TarInfo, path: Path) -> re.Match[str] | None:
    """The match of a letter's PNG, None for what is passed over; UserError for what no honest archive of it holds."""
    fault = ""
    if member.issym() or member.islnk():
        fault = "is a link"
    elif member.name.startswith(("/", "\\")):
        fault = "has an absolute path"
    elif not 0 <= member.size <= MAX_FILE_BYTES:
        fault = f"announces {member.size:,} bytes, at most {MAX_FILE_BYTES:,} are allowed"
    elif member.issparse():
        fault = "is a sparse file"
    else:
        try:
            tarfile.data_filter(member, TARGET)
        except tarfile.SpecialFileError:
            fault = "is a device or a pipe"
        except tarfile.FilterError:
            fault = "leads out of the archive's folder"
    if fault:
        raise UserError(f"{path}: member {member.name!r} {fault}; nothing was unpacked: fetch the original archive")
    return LETTER.fullmatch(member.name) if member.isreg() else None


def _finish(stream: IO[bytes], path: Path) -> None:
    """Read on behind the last member: a second block of zeros at least, then gzip's checksum.

    For tarfile a damaged or missing header is an end, too.
    """
    ended = False
    while rest := stream.read(2**14):
        if rest.strip(b"\0"):
            raise UserError(f"{path}: damaged: data behind the end of the tar; fetch the archive again")
        ended = True
    if not ended:
        raise UserError(f"{path}: truncated: the tar in it has no end; fetch the archive again")


class _Meter:
    """Inflates a gzip file up to `limit`, which is moved on from member to member; `what` names what goes beyond it."""

    def __init__(self, raw: IO[bytes], path: Path) -> None:
        self.stream, self.raw, self.path = gzip.GzipFile(fileobj=raw), raw, path
        self.total, self.limit = 0, MAX_HEADERS_BYTES
        self.what = f"one member's headers exceed {MAX_HEADERS_BYTES:,} bytes"

    def read(self, size: int) -> bytes:
        content = self.stream.read(size)
        self.total += len(content)
        if self.total > self.limit:
            raise UserError(f"{self.path}: {self.what}; fetch the original archive")
        if self.total > RATIO_FROM + MAX_RATIO * self.raw.tell():  # each member takes time, however well it packs
            raise UserError(
                f"{self.path}: inflates to more than {MAX_RATIO} times its size; fetch the original archive"
            )
        if self.total > MAX_TOTAL_BYTES:
            raise UserError(f"{self.path}: inflates to more than {MAX_TOTAL_BYTES:,} bytes; fetch the original archive")
        return content
