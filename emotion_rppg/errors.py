"""The one error for input that cannot be used; the command line turns it into exit code 2."""


class InputError(ValueError):
    """Says what was given, what was wanted and what to do. Never a bug of the package."""
