"""`gan diff` shows what differs between the configurations of two runs."""

from pathlib import Path

from gan.cli.flags import Parser
from gan.cli.table import table, text
from gan.runs.differences import differences
from gan.runs.reader import read_run
from gan.runs.status import end_if_killed


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    parser = Parser(prog="gan diff", description="Show what differs between the configurations of two runs.")
    parser.add_argument("runs", metavar="RUN", nargs=2, type=Path, help="the directory of a run")
    first, second = runs = parser.parse_args(words).runs
    found = differences([read_run(run).config for run in runs])
    for run in runs:
        end_if_killed(run)
    if found:
        cells = [(key.replace("model.init_args.", ""), *map(text, values)) for key, values in found.items()]
        print(table([("", str(first), str(second)), *cells]))
    else:
        print("the two configurations are the same")
    return 0
