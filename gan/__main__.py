"""`python -m gan` is the command `gan`."""

from gan.cli import main

main()
