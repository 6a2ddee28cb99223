"""Checks of what callers send: every problem of a request reported at once, by the field's name in the contract."""

from __future__ import annotations

import re
from typing import Final

from chassis.errors import InvalidArgumentError

USER_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
MAX_REQUEST_ID_CHARACTERS: Final = 64

MAX_PROBLEMS: Final = 20
"""How many fields an error names: it travels in headers, which hold a few KB, and thousands of items may be wrong."""


class FieldChecks:
    """Collects what is wrong with a request's fields.

    Fields are named as browsers see them (lowerCamelCase), which is their JSON name in the protos too.
    """

    def __init__(self) -> None:
        self._problems: dict[str, str] = {}

    def require(self, holds: bool, field: str, sentence: str) -> bool:
        """Notes `sentence` against `field` unless the condition holds; the first problem of a field counts.

        Past MAX_PROBLEMS fields no more are noted.
        """
        if not holds and len(self._problems) < MAX_PROBLEMS:
            self._problems.setdefault(field, sentence)
        return holds

    def text(self, field: str, value: str, *, at_least: int = 0, at_most: int) -> None:
        """Checks a text's length, in characters."""
        if at_least <= len(value) <= at_most:
            return
        empty = not value
        self.require(False, field, "must not be empty" if empty else f"must have {at_least} to {at_most} characters")

    def user_id(self, field: str, value: str) -> None:
        """Checks the form of a user id."""
        self.require(USER_ID_PATTERN.fullmatch(value) is not None, field, "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -")

    def request_id(self, value: str) -> None:
        """Checks the length of a request id, which may be empty."""
        self.text("requestId", value, at_most=MAX_REQUEST_ID_CHARACTERS)

    def done(self) -> None:
        """Raises InvalidArgumentError (INVALID_FIELDS) with all that was noted, if anything was."""
        if self._problems:
            summary = "; ".join(f"{field} {sentence}" for field, sentence in self._problems.items())
            raise InvalidArgumentError("INVALID_FIELDS", summary, fields=self._problems)
