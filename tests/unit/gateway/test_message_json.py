"""Tests of the remembered JSON of messages."""

from __future__ import annotations

import msgspec
from parley.chat.v1.chat_pb2 import Message

from gateway.wire.json_objects import message_object
from gateway.wire.message_json import MessageJsonCache


def message(number: int, text: str = "hello") -> Message:
    return Message(message_id=f"{number}", conversation_id="c", seq=number, text=text, sender_id="ann")


def test_the_text_is_the_messages_object() -> None:
    cache = MessageJsonCache(1_000_000)
    for each in (message(1), message(2), message(1, "edited"), message(1)):
        for _ in range(2):
            assert msgspec.json.decode(cache.of(each.SerializeToString())) == message_object(each)
    assert len(cache) == 3


def test_old_texts_are_dropped_and_written_again() -> None:
    cache = MessageJsonCache(20_000)
    for number in range(1, 1_000):
        cache.of(message(number).SerializeToString())
    assert 0 < len(cache) < 60
    assert msgspec.json.decode(cache.of(message(1).SerializeToString())) == message_object(message(1))
