"""The error of the embedded stack."""


class StackError(Exception):
    """The stack cannot start or run; the text says why and what to do."""
