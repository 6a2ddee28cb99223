"""What ends a rehearsal with a sentence."""


class RehearsalError(Exception):
    """A step failed, or this machine lacks what it needs."""
