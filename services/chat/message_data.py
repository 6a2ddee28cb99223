"""What the data of a message must be, by the message's kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from services.chat.domain import MessageKind
from services.chat.emojis import qualified

Problems = dict[str, str]
"""What is wrong, by field."""


class _Field(NamedTuple):
    """A field of the data: whether a value is good, and what it must be."""

    accepts: Callable[[object], bool]
    sentence: str
    required: bool = False


def _text(most: int, *, required: bool = False) -> _Field:
    def accepts(value: object) -> bool:
        return isinstance(value, str) and 0 < len(value) <= most and not value.isspace()

    return _Field(accepts, f"must have 1 to {most} characters", required)


def _number(most: int) -> _Field:
    def accepts(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most

    return _Field(accepts, f"must be a number from -{most} to {most}", required=True)


def _texts(most_items: int, most: int) -> _Field:
    item = _text(most)

    def accepts(value: object) -> bool:
        return isinstance(value, list) and len(value) <= most_items and all(map(item.accepts, value))

    return _Field(accepts, f"must have at most {most_items} items of 1 to {most} characters")


_EMOJI: Final = _Field(lambda value: isinstance(value, str) and bool(qualified(value)), "must be one emoji")
_FIELDS: Final[Mapping[int, Mapping[str, _Field]]] = {
    MessageKind.LOCATION: {"latitude": _number(90), "longitude": _number(180), "name": _text(200)},
    MessageKind.CONTACT: {"name": _text(200, required=True), "phones": _texts(20, 50), "emails": _texts(20, 254)},
    MessageKind.STICKER: {"pack": _text(100), "emoji": _EMOJI},
}
_REQUIRED: Final = frozenset({MessageKind.LOCATION, MessageKind.CONTACT})
"""The kinds that are nothing without data."""


def problems_of(kind: int, data: Mapping[str, object] | None, attachments: int) -> Problems:
    """Returns what is wrong with the data and the number of attachments of a message of a kind."""
    if kind == MessageKind.STICKER and attachments != 1:
        return {"attachments": "must have 1 item for a sticker"}
    if kind == MessageKind.VIDEO and not attachments:
        return {"attachments": "must have at least 1 item for a video"}
    fields = _FIELDS.get(kind)
    if data is None:
        return {"data": "is required for this kind"} if kind in _REQUIRED else {}
    if fields is None:
        return {"data": "must be absent for this kind"}
    if not data.keys() <= fields.keys():  # the other names are the caller's: of any number and length
        return {"data": f"may only have {', '.join(fields)}"}
    problems: Problems = {}
    for name, field in fields.items():
        if name not in data:
            if field.required:
                problems[f"data.{name}"] = "is required"
        elif not field.accepts(data[name]):
            problems[f"data.{name}"] = field.sentence
    return problems
