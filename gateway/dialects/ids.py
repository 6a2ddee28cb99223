"""Ids for front-ends that use numbers: ids of digits go out as numbers, and come in as numbers or strings."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from gateway.dialects.validation import MAX_INTEGER

_MAX_LENGTH: Final = 64

AnyId = Annotated[str, Meta(min_length=1, max_length=_MAX_LENGTH)] | Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
"""An incoming id."""


def format_id(known: str) -> str | int:
    """Returns an id for the front-end: a number if that converts back to the same id, which leading zeros prevent."""
    return int(known) if _is_number(known) else known


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text[0] != "0" or text == "0") and int(text) <= MAX_INTEGER


_STRING_MARK: Final = "'"
"""Precedes the key of an own id that is a string of digits, so that it returns as a string and not as a number."""


def own_id_to_key(own_id: str | int) -> str:
    """Returns the key of a message for the front-end's own id, which `key_to_own_id` restores exactly."""
    if isinstance(own_id, str) and _is_number(own_id.lstrip(_STRING_MARK)):
        return _STRING_MARK + own_id
    return str(own_id)


def key_to_own_id(key: str) -> str | int:
    """Returns the front-end's own id for a key of `own_id_to_key`."""
    text = key.removeprefix(_STRING_MARK)
    return text if key.startswith(_STRING_MARK) and _is_number(text.lstrip(_STRING_MARK)) else format_id(key)


def parse_id(value: str | int) -> str:
    """Returns an incoming id as the services know it."""
    return str(value)


def echoed_ids(body: Any, *names: str) -> dict[str, Any]:
    """Returns the ids in a body that its reply echoes, unchanged."""
    if not isinstance(body, dict):
        return {}
    return {name: body[name] for name in names if is_echoed(body.get(name))}


def is_echoed(value: Any) -> bool:
    """Returns whether a reply echoes an id: it need not be valid, but it must be neither long nor nested."""
    return isinstance(value, str | int) and len(str(value)) <= _MAX_LENGTH
