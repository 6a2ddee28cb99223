"""Ids in front-ends that have numbers for them: those that are all digits go out as numbers, and come in as either."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.dialects.forms import MAX_INTEGER

AnyId = Annotated[str, Meta(min_length=1, max_length=64)] | Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
"""An id as it comes in."""


def outward(known: str) -> str | int:
    """An id as it goes out; with leading zeros it would not be the same as a number."""
    if known.isascii() and known.isdigit() and (known[0] != "0" or known == "0") and int(known) <= MAX_INTEGER:
        return int(known)
    return known


def inward(given: str | int) -> str:
    """An id as all the rest knows it."""
    return str(given)
