"""The one error of the embedded stack, so that whoever starts it has one thing to show."""


class StackError(Exception):
    """What keeps the stack from running, in a sentence that says what to do about it."""
