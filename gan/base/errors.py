"""The one error that is the user's to mend."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """A mistake in a flag, a file or a recipe: one line that says what, where, what is allowed and how to mend it.

    The command line prints it without a traceback and exits with code 2.
    """


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


def whole(value: object, name: str, least: int = 0) -> int:
    """Return `value` if it is a whole number of at least `least`. Raises UserError with its name if not."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return value
