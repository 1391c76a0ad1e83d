"""Notes to the user on stderr, each once a run: a line, or a box that cannot be overlooked."""

import sys
import textwrap

from pytorch_lightning.utilities.rank_zero import rank_zero_only

_said: set[str] = set()


def is_first_process() -> bool:
    """Whether this process is rank 0, which alone prints notes and shows progress bars."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


@rank_zero_only
def say(note: str) -> None:
    """Print a note on stderr, unless this run has said it before."""
    if note not in _said:
        _said.add(note)
        print(note, file=sys.stderr, flush=True)


def forget() -> None:
    """Let every note be said again, as in a new process."""
    _said.clear()


def box(paragraphs: list[str], width: int = 76) -> str:
    """Paragraphs, wrapped, in a frame."""
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)  # paths stay whole
    lines = [line for paragraph in paragraphs for line in wrapper.wrap(paragraph)]
    width = max(map(len, lines))
    rule = "+" + "=" * (width + 2) + "+"
    return "\n".join([rule, *(f"| {line:<{width}} |" for line in lines), rule])
