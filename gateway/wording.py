"""Services' complaints about fields, in the words of whoever asked: an interface may call a field by another name."""

from __future__ import annotations

from collections.abc import Callable

from chassis.errors import InvalidArgumentError


def reworded(error: InvalidArgumentError, rename: Callable[[str], str]) -> InvalidArgumentError:
    """The error with its fields renamed; its sentence speaks of them too."""
    fields = {rename(name): sentence for name, sentence in error.fields.items()}
    message = "; ".join(f"{name} {sentence}" for name, sentence in fields.items()) or error.message
    return InvalidArgumentError(error.reason, message, fields=fields)
