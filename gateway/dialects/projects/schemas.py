"""Schemas of the payloads that clients of the projects front-end emit."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from gateway.dialects.client_message_ids import ClientMessageIds
from gateway.dialects.ids import AnyId
from gateway.dialects.native.schemas import TEXT_BYTES
from gateway.dialects.validation import MAX_INTEGER, Form


class JoinedConversation(Form):
    """`join_conversation`, `leave_conversation`."""

    conversation_id: AnyId


class Attachment(Form):
    """An attachment, with the front-end's field names."""

    url: Annotated[str, Meta(min_length=1, max_length=2_000)]
    name: Annotated[str, Meta(max_length=200)] = ""
    type: Annotated[str, Meta(max_length=100)] = ""
    size: Annotated[int, Meta(ge=0, le=MAX_INTEGER)] = 0


class SendMessageForm(ClientMessageIds):
    """`send_message`."""

    conversation_id: AnyId
    content: Annotated[str, Meta(max_length=TEXT_BYTES)] = ""
    type: Annotated[str, Meta(max_length=50)] = "text"
    attachments: Annotated[list[Attachment], Meta(max_length=20)] = field(default_factory=list)


class Typing(Form):
    """`typing`."""

    conversation_id: AnyId
    is_typing: bool


class MarkAsRead(Form):
    """`mark_as_read`: a whole conversation, or up to a message."""

    conversation_id: AnyId | UnsetType = UNSET
    message_id: AnyId | UnsetType = UNSET
