"""Standard streams that cannot stop the work: closed ones, pipes whose reader left, encodings with few letters."""

import errno
import io
import os
import sys
from typing import Any

GONE = (errno.EPIPE, errno.EIO)  # the pipe's reader has left; the terminal is closed


class _Lasting(io.FileIO):
    """A file whose reader may leave. What is written after that is dropped."""

    def write(self, content: Any) -> int:
        """Return the number of bytes taken."""
        try:
            return super().write(content)
        except OSError as error:
            if error.errno not in GONE:
                raise
            return len(memoryview(content).cast("B"))


def make_lasting() -> None:
    """Let nothing that is printed stop the work. Letters that the encoding lacks are written as escapes.

    A stream that was closed before the start becomes the null device, so that no file that is opened later takes its
    number. Streams that somebody has put in the place of the standard ones stay as they are.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            null = open(os.devnull, "w" if number else "r")  # noqa: SIM115
            setattr(sys, name, null)
            try:
                os.fstat(number)
            except OSError:  # the number is free
                os.dup2(null.fileno(), number)
        elif number and stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            if isinstance(getattr(stream.buffer, "raw", None), _Lasting):
                continue
            stream.flush()
            raw = _Lasting(number, "w", closefd=False)
            lasting = io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=stream.encoding,
                errors="backslashreplace",
                line_buffering=stream.line_buffering or number == 2,
                write_through=stream.write_through,
            )
            setattr(sys, name, lasting)
            setattr(sys, f"__{name}__", lasting)
