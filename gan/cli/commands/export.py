"""`gan export` writes a generator for others."""

from gan.cli.flags import Parser, add_source
from gan.runs.export import export


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    about = "Write a trained generator for others: safetensors, recipe, ONNX, samples and a model card."
    parser = Parser(prog="gan export", description=about)
    add_source(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="a directory that is absent or empty")
    parser.add_argument("--no-onnx", action="store_false", dest="onnx", help="leave out model.onnx")
    directory = export(**vars(parser.parse_args(words)))
    for file in sorted(directory.iterdir()):
        print(f"{file.name:<17}  {file.stat().st_size / 1e6:.2f} MB")
    print(f"export             {directory}")
    return 0
