"""Tests of the data that kinds of messages need."""

from __future__ import annotations

import math
from typing import Any

import pytest
from parley.chat.v1 import chat_pb2, message_pb2

from chassis.errors import InvalidArgumentError
from services.chat.domain import MessageKind
from services.chat.emojis import qualified
from services.chat.message_data import problems_of
from services.chat.requests import check_draft

LOCATION, CONTACT, STICKER, TEXT = MessageKind.LOCATION, MessageKind.CONTACT, MessageKind.STICKER, MessageKind.TEXT
PLACE = {"latitude": 52.5, "longitude": 13.4}

GOOD: list[tuple[MessageKind, dict[str, Any] | None, int]] = [
    (TEXT, None, 0),
    (MessageKind.VIDEO, None, 1),
    (LOCATION, PLACE, 0),
    (LOCATION, {"latitude": -90, "longitude": 180.0, "name": "Pole"}, 0),
    (CONTACT, {"name": "Bob"}, 0),
    (CONTACT, {"name": "Bob", "phones": ["+49 30 1"], "emails": ["bob@crm.example"]}, 0),
    (STICKER, None, 1),
    (STICKER, {"pack": "cats", "emoji": "😺"}, 1),
]
BAD: list[tuple[MessageKind, dict[str, Any] | None, int, str]] = [
    (TEXT, {}, 0, "data"),
    (TEXT, PLACE, 0, "data"),
    (MessageKind.VIDEO, None, 0, "attachments"),
    (STICKER, None, 0, "attachments"),
    (STICKER, None, 2, "attachments"),
    (STICKER, {"emoji": "cat"}, 1, "data.emoji"),
    (STICKER, {"pack": ""}, 1, "data.pack"),
    (LOCATION, None, 0, "data"),
    (LOCATION, {"latitude": 1}, 0, "data.longitude"),
    (LOCATION, PLACE | {"latitude": 90.1}, 0, "data.latitude"),
    (LOCATION, PLACE | {"latitude": math.nan}, 0, "data.latitude"),
    (LOCATION, PLACE | {"longitude": -math.inf}, 0, "data.longitude"),
    (LOCATION, PLACE | {"longitude": "13.4"}, 0, "data.longitude"),
    (LOCATION, PLACE | {"longitude": True}, 0, "data.longitude"),
    (LOCATION, PLACE | {"name": "x" * 201}, 0, "data.name"),
    (LOCATION, PLACE | {"name": "  "}, 0, "data.name"),
    (LOCATION, PLACE | {"more": 1}, 0, "data"),
    (LOCATION, {"x" * 10_000: 1, "y": 1}, 0, "data"),
    (CONTACT, None, 0, "data"),
    (CONTACT, {"phones": []}, 0, "data.name"),
    (CONTACT, {"name": "x" * 201}, 0, "data.name"),
    (CONTACT, {"name": "Bob", "phones": "1"}, 0, "data.phones"),
    (CONTACT, {"name": "Bob", "phones": [1]}, 0, "data.phones"),
    (CONTACT, {"name": "Bob", "emails": ["x"] * 21}, 0, "data.emails"),
    (CONTACT, {"name": "Bob", "emails": ["x" * 255]}, 0, "data.emails"),
]


@pytest.mark.parametrize(("kind", "data", "attachments"), GOOD)
def test_good_data_is_accepted(kind: MessageKind, data: dict[str, Any] | None, attachments: int) -> None:
    assert problems_of(kind, data, attachments) == {}


@pytest.mark.parametrize(("kind", "data", "attachments", "field"), BAD)
def test_bad_data_is_named(kind: MessageKind, data: dict[str, Any] | None, attachments: int, field: str) -> None:
    assert list(problems_of(kind, data, attachments)) == [field]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_data_has_only_numbers_of_json(number: float) -> None:
    draft = message_pb2.Draft(conversation_id="c", client_message_id="k", kind=chat_pb2.MESSAGE_KIND_LOCATION)
    draft.data.update({"latitude": number, "longitude": 1})
    with pytest.raises(InvalidArgumentError) as refused:
        check_draft(draft)
    assert refused.value.reason == "INVALID_FIELDS"


FAMILY = "\u200d".join("👩👩👧👦")
ZWJ_MONSTER = "\u200d".join("👩👨👩👨👩")
HEART, KEYCAP = "❤\ufe0f", "1\ufe0f\u20e3"


@pytest.mark.parametrize(
    ("text", "emoji"),
    [("👍", "👍"), ("❤", HEART), (HEART, HEART), (FAMILY, FAMILY), ("🇩🇪", "🇩🇪"), ("👍🏽", "👍🏽"), (KEYCAP, KEYCAP)],
)
def test_an_emoji_has_one_form(text: str, emoji: str) -> None:
    assert qualified(text) == emoji


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "1",
        "#",
        "🏽",
        "🇩",
        "👍👍",
        "👍\ufe0f\ufe0f",
        "\u200d".join("👩👨👩👨👩"),
        FAMILY + FAMILY,
        "\u200d",
        "\ufe0f",
    ],
)
def test_what_is_no_emoji_has_no_form(text: str) -> None:
    assert qualified(text) == ""
