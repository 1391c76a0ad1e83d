"""`gan resume` goes on with a run."""

from gan.base import cores
from gan.base.errors import UserError
from gan.cli.flags import parse_flags
from gan.cli.help import RESUME_HELP
from gan.cli.outcome import say
from gan.runs.fit import refuse_changes, resume


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    if not words or "--help" in words or "-h" in words:
        print(RESUME_HELP, end="")
        return 0
    cores.look()
    first = next((place for place, word in enumerate(words) if word.startswith("--")), len(words))
    directories, rest = words[:first], words[first:]
    if not directories:
        raise UserError("the run comes first: gan resume RUN --trainer.max_steps=N")
    flags = parse_flags(rest, words=("allow-import", "config"), switches=("other-world-size", "alone"))
    if flags.words["config"]:
        raise UserError("--config may not be given on resuming; the run's own is used")
    refuse_changes(flags.names)
    cores.wait_briefly()
    return say(
        resume(
            directories,
            **flags.tree,
            allow_import=flags.words["allow-import"],
            other_world_size="other-world-size" in flags.switches,
            alone="alone" in flags.switches,
        )
    )
