"""`gan sweep` makes the runs of a manifest."""

import textwrap

from gan.cli.help import SWEEP_HELP
from gan.runs.config import shipped_manifests


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    if not words or "--help" in words or "-h" in words:
        fill = textwrap.TextWrapper(96, " " * 29, " " * 29, break_on_hyphens=False).fill
        print(SWEEP_HELP.format(manifests=fill(", ".join(shipped_manifests()))), end="")
        return 0
    from gan.cli.sweeping import carry_out  # it imports scipy

    return carry_out(words)
