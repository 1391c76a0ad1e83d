"""`gan runs` lists the runs below a directory."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten

from gan.cli.flags import Parser
from gan.cli.table import table, text
from gan.runs.overview import Line, overview
from gan.runs.rows import title_of

SHOWN = 6  # values of a run that differ, and alarms
WIDTH = 60  # characters of a reason; --json has all of it


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    about = "List runs: how each ended or how far it is, its score, and what differs among their configurations."
    parser = Parser(prog="gan runs", description=about)
    parser.add_argument("directory", metavar="DIR", nargs="?", type=Path, default=Path("runs"), help="default runs")
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")
    options = parser.parse_args(words)
    lines = overview(options.directory)
    if options.json:
        print(json.dumps([asdict(line) for line in lines], indent=1, default=str))
        return 0
    names = {line.score_name for line in lines} - {None}
    title = title_of(str(names.pop())) if len(names) == 1 else "score" if names else "FID"
    print(table([("run", "status", "step", title, "differs"), *(_cells(line, title == "score") for line in lines)]))
    counts = Counter(line.state for line in lines)
    print(f"{len(lines)} runs" + "".join(f", {count} {state}" for state, count in counts.most_common()))
    return 0


def _cells(line: Line, named: bool) -> tuple[str, ...]:
    score = "" if line.score is None else f"{line.score:.3f}" + ("" if line.images == "test" else f" ({line.images})")
    score = f"{title_of(str(line.score_name))} {score}" if named and score else score
    reason = f" ({shorten(line.reason, WIDTH, placeholder=' …')})" if line.reason else ""
    alarms = f"; {', '.join(map(str, line.alarms[-SHOWN:]))}" if line.alarms else ""
    differs = [f"{key}={text(value)}" for key, value in line.differs.items() if value is not None]
    more = [f"… {len(differs) - SHOWN} more: gan diff"] if len(differs) > SHOWN else []
    step = "" if line.step is None else str(line.step)
    shown = " ".join(differs[:SHOWN] + more).replace("model.init_args.", "")
    return line.run, line.state + reason + alarms, step, score, shown
