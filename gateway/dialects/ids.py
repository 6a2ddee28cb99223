"""Ids in front-ends that have numbers for them: those that are all digits go out as numbers, and come in as either."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from gateway.dialects.validation import MAX_INTEGER

_LONGEST: Final = 64

AnyId = Annotated[str, Meta(min_length=1, max_length=_LONGEST)] | Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
"""An id as it comes in."""


def format_id(known: str) -> str | int:
    """An id as it goes out; with leading zeros it would not be the same as a number."""
    return int(known) if _is_number(known) else known


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text[0] != "0" or text == "0") and int(text) <= MAX_INTEGER


_TEXT: Final = (
    "'"  # before a message's own id that is a text of digits: a number would not be the same to its front-end
)


def key_inward(given: str | int) -> str:
    """A front-end's own id of a message, which must come back as it was, as the key that the message goes by."""
    return _TEXT + given if isinstance(given, str) and _is_number(given.lstrip(_TEXT)) else str(given)


def key_outward(key: str) -> str | int:
    """The front-end's own id that a key was made of."""
    text = key.removeprefix(_TEXT)
    return text if key.startswith(_TEXT) and _is_number(text.lstrip(_TEXT)) else format_id(key)


def parse_id(given: str | int) -> str:
    """An id as all the rest knows it."""
    return str(given)


def repeated(body: Any, *names: str) -> dict[str, Any]:
    """The ids in a body that its answer repeats, as they came."""
    if not isinstance(body, dict):
        return {}
    return {name: body[name] for name in names if is_repeated(body.get(name))}


def is_repeated(given: Any) -> bool:
    """Whether an answer repeats what came as an id: it need not be a good one, but neither long nor deep."""
    return isinstance(given, str | int) and len(str(given)) <= _LONGEST
