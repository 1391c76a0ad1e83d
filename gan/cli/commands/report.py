"""`gan report` says what many runs show: tables, intervals, verdicts, curves with bands, samples."""

from gan.cli.flags import Parser


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    parser = Parser(
        prog="gan report",
        description="Compare many runs: report.md, report.html, table.csv, and figures as PDF and SVG.",
    )
    parser.add_argument("paths", metavar="RUNS", nargs="+", help="a sweep, a directory with runs, or a bundle")
    help = "make arms of these values, such as recipe.prior or variant (default: the manifest's, or what differs)"
    parser.add_argument("--by", default="", metavar="KEY[,KEY]", help=help)
    help = "compare the others with this arm (default: the manifest's, or the first one)"
    parser.add_argument("--baseline", metavar="ARM", help=help)
    help = "images, steps or seconds: the axis of the curves (default: images)"
    parser.add_argument("--against", metavar="AXIS", default="images", help=help)
    help = "draw this curve of the event files, too, such as loss/generator; may be given again"
    parser.add_argument("--curves", metavar="TAG", action="append", default=[], help=help)
    parser.add_argument("--out", metavar="DIR", help="write to this directory (default: report in RUNS)")
    parser.add_argument("--latex", action="store_true", help="write table.tex, too")
    help = "write each arm's mean and band for TensorBoard, too"
    parser.add_argument("--tensorboard", action="store_true", help=help)
    options = vars(parser.parse_args(words))
    from gan.ablations.report.report import report  # scipy and matplotlib take a second to import

    options["by"] = [key.strip() for key in options["by"].split(",") if key.strip()]
    place = report(**options)
    print(f"report  {place / 'report.html'}")
    print(f"table   {place / 'table.csv'}")
    return 0
