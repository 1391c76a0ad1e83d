"""`python -m gan` is the command `gan`."""

from gan.cli import main

if __name__ == "__main__":
    main()
