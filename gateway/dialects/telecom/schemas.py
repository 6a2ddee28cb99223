"""Schemas of the payloads that clients of the telecom front-end emit."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from gateway.dialects.client_message_ids import ClientMessageIds
from gateway.dialects.ids import AnyId
from gateway.dialects.native.schemas import TEXT_BYTES
from gateway.dialects.validation import Form

LOADED_MESSAGES: Final = 50


class JoinOrganization(Form):
    """`joinOrganization`; `check_claims` has compared the organization with the token's."""

    organization_id: AnyId


class GetOrCreateConversation(Form):
    """`getOrCreateConversation`."""

    target_user_id: AnyId


class SendMessageForm(ClientMessageIds):
    """`sendMessage`."""

    conversation_id: AnyId
    content: Annotated[str, Meta(max_length=TEXT_BYTES)]
    message_type: Annotated[str, Meta(max_length=50)] = "text"


class MarkMessagesAsRead(Form):
    """`markMessagesAsRead`."""

    conversation_id: AnyId


class Typing(Form):
    """`typing`."""

    conversation_id: AnyId
    is_typing: bool


class GetMessages(Form):
    """`getMessages`."""

    conversation_id: AnyId
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=200)] = LOADED_MESSAGES


class DeleteMessage(Form):
    """`deleteMessage`."""

    message_id: AnyId


class GetConversations(Form):
    """`getConversations`."""
