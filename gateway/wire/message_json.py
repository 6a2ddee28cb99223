"""Remembers the JSON of messages by their encoded form: a message is decoded and written once, not in each page.

Equal bytes are equal messages, so a remembered text is never out of date: a changed message has other bytes.
"""

from __future__ import annotations

from typing import Final

import msgspec
from parley.chat.v1.chat_pb2 import Message

from gateway.wire.json_objects import message_object

_ENTRY_BYTES: Final = 250
_encode: Final = msgspec.json.Encoder().encode


class MessageJsonCache:
    """Remembers the messages that were used lately, in two generations: the older one is dropped when both are full.

    Args:
        capacity_bytes: the approximate size of both in memory.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._generation_bytes = capacity_bytes // 2
        self._young: dict[bytes, msgspec.Raw] = {}
        self._old: dict[bytes, msgspec.Raw] = {}
        self._young_bytes = 0

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def of(self, encoded: bytes) -> msgspec.Raw:
        """Returns the JSON object of an encoded message."""
        text = self._young.get(encoded)
        if text is None:
            text = self._old.get(encoded)
            if text is None:
                text = msgspec.Raw(_encode(message_object(Message.FromString(encoded))))
            self._remember(encoded, text)
        return text

    def _remember(self, encoded: bytes, text: msgspec.Raw) -> None:
        self._young[encoded] = text
        self._young_bytes += len(encoded) + len(memoryview(text)) + _ENTRY_BYTES
        if self._young_bytes > self._generation_bytes:
            self._old, self._young, self._young_bytes = self._young, {}, 0
