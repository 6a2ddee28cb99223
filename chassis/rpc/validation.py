"""Reports all invalid fields of a request at once, by their names in the contract."""

from __future__ import annotations

import re
from typing import Final

from chassis.errors import InvalidArgumentError

USER_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")

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

    def done(self) -> None:
        """Raises InvalidArgumentError (INVALID_FIELDS) with all invalid fields, if there are any."""
        if self._problems:
            summary = "; ".join(f"{field} {sentence}" for field, sentence in self._problems.items())
            raise InvalidArgumentError("INVALID_FIELDS", summary, fields=self._problems)
