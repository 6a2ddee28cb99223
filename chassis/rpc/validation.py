"""Validation of requests: reports all invalid fields of a request at once, by their names in the contract."""

from __future__ import annotations

import re
from typing import Final

from chassis.errors import InvalidArgumentError

USER_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
MAX_REQUEST_ID_CHARACTERS: Final = 64

MAX_PROBLEMS: Final = 20
"""The most fields that an error names: headers, which hold a few KB, carry the error."""


class FieldChecks:
    """Collects the invalid fields of a request, by their JSON names (lowerCamelCase)."""

    def __init__(self) -> None:
        self._problems: dict[str, str] = {}

    def require(self, holds: bool, field: str, sentence: str) -> bool:
        """Records `sentence` for `field` unless the condition holds; returns whether it holds.

        Keeps the first sentence of each field, and at most MAX_PROBLEMS fields.
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
        """Raises InvalidArgumentError (INVALID_FIELDS) with all invalid fields, if there are any."""
        if self._problems:
            summary = "; ".join(f"{field} {sentence}" for field, sentence in self._problems.items())
            raise InvalidArgumentError("INVALID_FIELDS", summary, fields=self._problems)
