"""What dialects show of messages beyond a text: reactions, and a text for kinds that their front-ends don't know."""

from __future__ import annotations

from typing import Any

from parley.chat.v1.chat_pb2 import MESSAGE_KIND_CONTACT, MESSAGE_KIND_LOCATION, Message

from gateway.dialects.ids import format_id
from gateway.wire.json_writer import struct_object


def text_of(message: Message) -> str:
    """Returns a message's text; for a location or contact without one, what its data says."""
    if message.text or not message.HasField("data"):
        return message.text
    data = struct_object(message.data)
    if message.kind == MESSAGE_KIND_LOCATION:
        place = f"{data.get('latitude')}, {data.get('longitude')}"
        return f"{data['name']} ({place})" if data.get("name") else place
    if message.kind == MESSAGE_KIND_CONTACT:
        return ", ".join([str(data.get("name")), *data.get("phones", []), *data.get("emails", [])])
    return ""


def reaction_fields(message: Message) -> dict[str, Any]:
    """Returns `reactions`, the users by emoji; nothing for a message without reactions."""
    if not message.reactions:
        return {}
    return {"reactions": {r.emoji: [format_id(user_id) for user_id in r.user_ids] for r in message.reactions}}
