"""Bundles: what a report needs of many runs, in one zip file. A bundle may come from anybody, and holds no weights.

Nothing of it is trusted. Only names that a bundle may have are written, as plain files, below one folder, and no more
bytes than allowed, whatever the file says of itself.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from gan.ablations.design import FILE as MANIFEST
from gan.base.disk import replacing, writing
from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.runs.directory import CONFIG, METRICS, PROVENANCE
from gan.runs.reader import Run, find_runs
from gan.runs.status import FILE as STATUS
from gan.runs.status import Status

SUFFIX = ".zip"
MB = 10**6
# What a bundle may hold, each in at most six folders -> the most bytes of one such file. N stands for a number.
GRID, FAILED = "samples/step_N.png", "seed_N.failed.json"
FILES = {CONFIG: MB, MANIFEST: MB, STATUS: MB, FAILED: MB, PROVENANCE: 10 * MB, METRICS: 20 * MB, GRID: 10 * MB}
NAME = re.compile(r"(?:[^/\\:\0]{1,200}/){1,6}?((?:samples/)?[a-z]+(?:_\d{1,19})?(?:\.[a-z]+){1,2})")
MAX_MEMBERS, MAX_BYTES = 200_000, 2_000 * MB  # of a bundle, when it is unpacked
MAX_READ = 21 * MB  # at once from the file: its list of members has no more
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what others inflate to cannot be bounded


def bundle(directory: str | Path, out: str | Path | None = None) -> Path:
    """Write a bundle of the runs in a directory and below it, and return its file, by default NAME.zip beside it.

    Of each run it has configuration, provenance, rows, status and the newest grid of samples, and of a sweep its
    manifest. UserError if there are no runs, or if a file is larger than a bundle may hold.
    """
    place = absolute(directory, "bundle")
    runs = [*find_runs(place), *_linked(place)]
    if not runs:
        raise UserError(f"{place}: holds no runs of gan fit; give a sweep's directory, or that of a run")
    file = absolute(out, "--out") if out else place.with_name(place.name + SUFFIX)
    if file.suffix != SUFFIX or not file.parent.is_dir():
        raise UserError(f"--out {file}: must be a {SUFFIX} file in a directory that is there")
    with replacing(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in _sources(place, runs):
            name = f"{place.name}/{source.relative_to(place).as_posix()}"
            if (most := _most_bytes(name)) is None:
                raise UserError(f"{source}: its place lies too deep for a bundle; bundle a folder below {place}")
            if source.stat().st_size > most:
                raise UserError(f"{source}: has {source.stat().st_size:,} bytes, a bundle takes at most {most:,} of it")
            archive.write(source, name)
        for run in runs:
            if run.record is None:  # an older version's, whose checkpoints alone say that it is finished
                name = f"{place.name}/{(run.directory / STATUS).relative_to(place).as_posix()}"
                archive.writestr(name, json.dumps(asdict(_status(run))))
    return file


def _linked(place: Path) -> list[Run]:
    """Return the runs of other sweeps that this one has links to."""
    links = sorted(path for path in place.rglob("seed_*") if path.is_symlink())
    return [run for run in map(Run, links) if run.is_run]


def _status(run: Run) -> Status:
    state, step = "finished" if run.state == "finished" else "stopped", run.step or 0
    return Status(state, None, step, 0, "", *2 * (datetime.fromtimestamp(0, UTC).isoformat(),))


def _sources(place: Path, runs: list[Run]) -> Iterator[Path]:
    """Yield the files that belong into a bundle."""
    if (place / MANIFEST).is_file():
        yield place / MANIFEST
        yield from sorted(place.rglob("seed_*.failed.json"))
    for run in runs:
        files = (run.directory / name for name in (CONFIG, PROVENANCE, METRICS, STATUS))
        yield from (file for file in files if file.is_file())
        if run.newest_picture:
            yield run.newest_picture


def unpacked(file: Path, target: Path) -> Path:
    """Unpack a bundle into an empty folder, and return the folder of its runs. UserError for anything else."""
    try:
        with _Bounded(file) as raw, zipfile.ZipFile(raw) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS or len({member.filename for member in members}) < len(members):
                raise UserError(f"{file}: has more than {MAX_MEMBERS:,} files, or one twice; is it a bundle?")
            left = MAX_BYTES
            for member in members:
                content = _content(archive, member, file, left)
                left -= len(content)
                with writing(target):
                    place = target / member.filename
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(content)
    except UserError:
        raise
    except Exception as error:  # hostile headers raise whatever zipfile meets
        reason = str(error)[:160] or type(error).__name__
        raise UserError(f"{file}: no bundle, or a damaged one ({reason}); make it with gan bundle") from None
    folders = sorted(target.iterdir())
    if len(folders) != 1:
        raise UserError(f"{file}: holds {len(folders)} folders, and a bundle holds one; make it with gan bundle")
    return folders[0]


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, left: int) -> bytes:
    """Return a member's bytes. UserError for what no bundle holds."""
    most, shown = _most_bytes(member.filename), f"{file}: {member.filename[:200]!r}"
    if most is None or member.compress_type not in METHODS:
        raise UserError(f"{shown} is nothing that a bundle holds; make it with gan bundle")
    most = min(most, left)
    with archive.open(member) as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise UserError(f"{shown} is larger than a bundle allows; make it with gan bundle")
    return content


class _Bounded(io.FileIO):
    """A file of which only so much can be read at once."""

    def read(self, size: int | None = -1) -> bytes:
        """Return bytes of the file. ValueError if more than MAX_READ are asked for."""
        if size is not None and size > MAX_READ:
            raise ValueError(f"more than {MAX_READ:,} bytes at once")
        return super().read(MAX_READ if size is None or size < 0 else size) or b""


def _most_bytes(name: str) -> int | None:
    """Return how large a file of this name may be. None for a name that no file of a bundle has."""
    match = NAME.fullmatch(name)
    if match is None or {".", ".."} & set(name.split("/")):
        return None
    return FILES.get(re.sub(r"_\d+", "_N", match[1]))
