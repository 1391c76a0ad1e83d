"""The one error that is the user's to mend."""


class UserError(ValueError):
    """A mistake in a flag, a file or a recipe: one line that says what, where, what is allowed and how to mend it.

    The command line prints it without a traceback and exits with code 2.
    """
