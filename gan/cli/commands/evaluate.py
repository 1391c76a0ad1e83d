"""`gan evaluate` measures generators, and images that somebody else made."""

import sys
from typing import Any

from gan.base.errors import UserError
from gan.base.paths import absolute
from gan.cli.flags import Parser
from gan.cli.measured import COLUMNS, cells, lines, notes
from gan.runs.directory import write_text
from gan.runs.evaluate import PLACE, measured
from gan.runs.yaml_files import parse_value

HELP = """\
usage: gan evaluate PATH [PATH ...] [options]

Measure generators, or images that somebody else made: runs, checkpoints, snapshots, exports, .npz
with images, folders of pictures.

options:
  --metrics NAMES          all, or measures or values such as fid,kid (default: the run's score)
  --num N                  fakes (default 10000)
  --draws N                of fresh noise, whose spread is printed (default 1)
  --against REAL           a data set's name, a folder or a .npz (default: the run's own images)
  --data.root DIR          where the real images are now (default: where they were)
  --data.source SOURCE     another one of their sources, see gan data --help
  --extractor CHOICE       another network, such as "{name: inception, weights: FILE}"
  --checkpoint WHICH       of a run: last (default), or best on held-out images
  --checkpoints all        add the rows that a run's checkpoints lack to its metrics.jsonl
  --weights WHICH          raw, or ema (default: the average where there is one)
  --json FILE              write the rows, with their protocols
  --html FILE              write a page with tables, samples, neighbours and plots
  --allow-import PACKAGE   a package outside gan that its code may come from
"""


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    if "--help" in words or "-h" in words:
        print(HELP, end="")
        return 0
    parser = Parser(prog="gan evaluate", add_help=False)
    parser.add_argument("paths", metavar="PATH", nargs="+")
    parser.add_argument("--checkpoint", choices=("last", "best"))
    parser.add_argument("--checkpoints", choices=("all",))
    parser.add_argument("--weights", choices=("raw", "ema"))
    for flag in ("--metrics", "--against", "--extractor", "--json", "--html"):
        parser.add_argument(flag)
    parser.add_argument("--num", type=int, default=10000)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--data.root", dest="root")
    parser.add_argument("--data.source", dest="source")
    parser.add_argument("--allow-import", action="append", default=[])
    options = vars(parser.parse_args(words))
    files = {key: _writable(options.pop(key), f"--{key}") for key in ("json", "html")}
    place = {key: options.pop(key) for key in PLACE}
    options["data"] = {key: value for key, value in place.items() if value is not None}
    names = options.pop("metrics")
    options["metrics"] = None if names is None else [name for name in names.split(",") if name]
    if options["extractor"] is not None:
        options["extractor"] = parse_value(options["extractor"], "--extractor")
    paths, every = options.pop("paths"), options.pop("checkpoints")
    if every:
        return _add_rows(paths, options, files)
    with _telling() as line:
        found = [measured(path, **options, tell=line.set_description_str) for path in paths]
    print(lines(found))
    if files["json"]:
        from gan.measure.measurement import to_json

        rows = [row for one in found for row in one.rows]
        text = to_json(rows[0], indent=1) if len(rows) == 1 else to_json(rows, indent=1)
        write_text(files["json"], text + "\n")
    if files["html"]:
        from gan.ablations.report.blocks import Table
        from gan.ablations.report.measured import page_of

        write_text(files["html"], page_of(found, lambda one: Table(COLUMNS, cells(one)), notes))
    return 0


def _add_rows(paths: list[str], options: dict[str, Any], files: dict[str, Any]) -> int:
    """Do what `--checkpoints all` asks for."""
    taken = ("metrics", "weights", "allow_import", "data")
    for key, name in (("checkpoint", "--checkpoint"), ("against", "--against"), ("extractor", "--extractor")):
        if options[key] is not None:
            raise UserError(f"{name}: not with --checkpoints all, whose rows belong to the run; remove the flag")
    if options["draws"] > 1 or any(files.values()):
        raise UserError("--checkpoints all writes to metrics.jsonl: give it without --draws, --json and --html")
    from gan.runs.adding import add_rows

    for path in paths:
        with _telling() as line:
            count = add_rows(path, **{key: options[key] for key in taken}, tell=line.set_description_str)
        print(f"{path}: {count} rows added to metrics.jsonl")
    return 0


def _writable(name: str | None, flag: str) -> Any:
    """Return the file that a flag names, or None. UserError if there is no such folder."""
    file = None if name is None else absolute(name, flag)
    if file and not file.parent.is_dir():
        raise UserError(f"{flag} {file}: cannot write (there is no directory {file.parent}); make it first")
    return file


def _telling() -> Any:
    """Return a line on the terminal that shows what is measured now, and goes away at the end."""
    from tqdm import tqdm

    return tqdm(bar_format="{desc}", leave=False, disable=not sys.stderr.isatty(), file=sys.stderr)
