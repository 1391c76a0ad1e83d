"""The end of a run's session in TensorBoard's HPARAMS tab. Torch is not needed.

The tab keeps the first end that it reads. So an end is an event file of its own, which a run that goes on removes.
"""

import socket
import time
from contextlib import suppress
from pathlib import Path

from gan.base.disk import replacing
from gan.base.errors import DiskError

EVENTS = "events.out.tfevents.*"
SUFFIX = ".end"
SUCCESSES, FAILURES = {"finished"}, {"failed", "diverged", "killed"}  # the tab shows any other end as unknown


def end_session(directory: Path, state: str, when: float | None = None) -> None:
    """Write that the session of a run ended in a state, now or at a time in seconds since 1970.

    A run without event files has no session. A full disk and a run of somebody else do without the note.
    """
    if not any(directory.glob(EVENTS)):
        return
    from tensorboard.compat.proto.event_pb2 import Event  # takes a third of a second to import
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    when = time.time() if when is None else when
    status = api_pb2.STATUS_UNKNOWN
    if state in SUCCESSES | FAILURES:
        status = api_pb2.STATUS_SUCCESS if state in SUCCESSES else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=when)
    content = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=content)
    reopen_session(directory)
    file = directory / f"events.out.tfevents.{int(when):010d}.{socket.gethostname()}{SUFFIX}"
    with suppress(DiskError), replacing(file) as part, part.open("wb") as opened:
        writer = RecordWriter(opened)
        for event in (Event(file_version="brain.Event:2"), Event(summary=Summary(value=[value]))):
            event.wall_time = when
            writer.write(event.SerializeToString())


def reopen_session(directory: Path) -> None:
    """Take back that the session of a run ended."""
    with suppress(OSError):
        for file in ended_sessions(directory):
            file.unlink(missing_ok=True)


def ended_sessions(directory: Path) -> list[Path]:
    """Return the files that say how the session of a run ended: one, or none."""
    return list(directory.glob(EVENTS + SUFFIX))
