"""`gan bundle` makes an archive of runs that `gan report` reads on any machine."""

from gan.cli.flags import Parser


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    about = "Put what a report needs of the runs in a directory into one file: no checkpoints, no curves of losses."
    parser = Parser(prog="gan bundle", description=about)
    parser.add_argument("directory", metavar="RUNS", help="a sweep, or another directory with runs in it")
    parser.add_argument("--out", metavar="FILE", help="the file (default: NAME.zip beside the directory)")
    options = parser.parse_args(words)
    from gan.ablations.bundle import bundle

    file = bundle(options.directory, options.out)
    print(f"bundle  {file} ({file.stat().st_size / 1e6:.1f} MB)")
    return 0
