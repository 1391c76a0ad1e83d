"""`gan new` writes the page of a method of one's own."""

from gan.base.paths import absolute
from gan.cli.flags import Parser


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    parser = Parser(prog="gan new", description="Write the page of a variant of your own, its config and its test.")
    parser.add_argument("name", metavar="NAME", help="its class, such as MyGAN; the files are my_gan.py, …")
    parser.add_argument("--into", default=".", metavar="DIR", help="folder (default: the working one)")
    options = parser.parse_args(words)
    from gan.cli.page import write_page  # torch takes seconds to import

    print(write_page(options.name, absolute(options.into, "--into")))
    return 0
