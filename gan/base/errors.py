"""The one error that is the user's to mend."""

from collections.abc import Iterator
from contextlib import contextmanager

MAX_LINE = 1200  # characters of an error line; of a longer one the middle is left out


class UserError(ValueError):
    """A mistake in a flag, a file or a recipe: one line that says what, where, what is allowed and how to mend it.

    The command line prints it without a traceback and exits with `code`.
    """

    code = 2

    def __init__(self, message: str) -> None:
        line = " ".join(message.splitlines())
        if len(line) > MAX_LINE:
            line = f"{line[: MAX_LINE // 2]} … {line[-MAX_LINE // 2 :]}"
        super().__init__("".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line))


class DiskError(UserError):
    """A disk that is full, read-only or gone stops a run. Its last good checkpoint stays."""

    code = 4


@contextmanager
def usable(what: str) -> Iterator[None]:
    """Within it, any error of a user's value becomes a UserError that begins with `what`. The cause stays attached."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise UserError(f"{what}: cannot be used ({reason})") from error


def whole(value: object, name: str, least: int = 0, most: int | None = None) -> int:
    """`value`, a whole number of at least `least` and at most `most`. UserError, which names it, for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UserError(f"{name} must be a whole number {allowed}, got {value!r}")
    return value
