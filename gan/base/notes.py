"""Notes to the user on stderr, each once a run: a line, or a box that cannot be overlooked. Torch is not needed."""

import os
import sys
import textwrap

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")  # in Lightning's order

_said: set[str] = set()


def is_first_process() -> bool:
    """Whether this process is rank 0, which alone prints notes and shows progress bars.

    Lightning knows the rank. Before it is imported, the environment says it.
    """
    lightning = sys.modules.get("lightning_fabric.utilities.rank_zero")
    known = getattr(getattr(lightning, "rank_zero_only", None), "rank", None)
    if known is None:
        known = next((os.environ[name] for name in RANKS if name in os.environ), "0")
    return str(known).strip() in ("", "0")


def say(note: str) -> None:
    """Print a note on stderr, unless this run has said it before. Only the first process prints."""
    if is_first_process() and note not in _said:
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
