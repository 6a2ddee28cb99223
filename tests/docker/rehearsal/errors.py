"""The error of the rehearsal."""


class RehearsalError(Exception):
    """A step failed, or this machine lacks what it needs."""
