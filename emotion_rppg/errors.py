"""The error for input that cannot be used; the command line turns it into exit code 2."""


class InputError(ValueError):
    """Report input that cannot be used: what was given, what was wanted, what to do."""
