"""Ids that chat derives, which make what they name unique: messages, the entries of requests, conversations."""

from __future__ import annotations

import base64
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from services.chat.domain import Conversation

_ID_PREFIX: Final = 6


def _digest(size: int, *parts: str) -> str:
    """Returns the BLAKE2b digest of the parts as base64url; length prefixes keep differently split parts apart."""
    digest = blake2b(digest_size=size)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")


def message_id_of(organization_id: str, conversation_id: str, sender_id: str, client_message_id: str) -> str:
    """Returns the permanent id of a message, which makes sending it idempotent.

    The first 36 bits are those of the conversation's id, which keeps a conversation's messages together in the index
    of ids. A digest of 96 bits follows: among 10^9 messages with the same prefix, the probability of a collision is
    10^-11.
    """
    digest = _digest(12, "message", organization_id, conversation_id, sender_id, client_message_id)
    return conversation_id[:_ID_PREFIX] + digest


class RequestKey(NamedTuple):
    """What identifies a request: the same request id with any other part is another request.

    Attributes:
        organization_id, user_id: the caller.
        conversation_id: the conversation that the request changes.
        method: the name of the RPC.
        request_id: chosen by the caller; empty if repeating the request is not idempotent.
        target: the id of the message or member that the request changes; empty for the conversation itself.
    """

    organization_id: str
    user_id: str
    conversation_id: str
    method: str
    request_id: str
    target: str = ""


def change_id_of(key: RequestKey) -> str:
    """Returns the id of the log entry that a request writes, which makes the request idempotent.

    Its form is that of message ids; see `message_id_of`. Empty if the request has no id.
    """
    if not key.request_id:
        return ""
    parts = (key.organization_id, key.conversation_id, key.user_id, key.method, key.request_id)
    digest = _digest(12, "change", *parts, *filter(None, [key.target]))
    return key.conversation_id[:_ID_PREFIX] + digest


def request_digest(method: str, request_id: str) -> str:
    """Returns what identifies a request among those about one object; empty if the request has no id."""
    return _digest(12, "request", method, request_id) if request_id else ""


def direct_conversation_id(organization_id: str, one: str, other: str) -> str:
    """Returns the id of the direct conversation of two users, in either order."""
    first, second = sorted((one, other))
    return _digest(16, "direct", organization_id, first, second)


def group_conversation_id(organization_id: str, nonce: str) -> str:
    """Returns the id of a new group.

    Args:
        organization_id: the organization.
        nonce: a unique value.
    """
    return _digest(16, "group", organization_id, nonce)


def requested_group_id(organization_id: str, user_id: str, request_id: str) -> str:
    """Returns the id of the group that a user's request creates, however often it is repeated."""
    return _digest(16, "requested group", organization_id, user_id, request_id)


def project_conversation_id(organization_id: str, external_ref: str) -> str:
    """Returns the id of the only project of an organization with an external_ref."""
    return _digest(16, "project", organization_id, external_ref)


def room_of(conversation: Conversation) -> str:
    """Returns the name of a room; empty for other conversations, even if they have the same external_ref."""
    ref = conversation.external_ref
    if ref and conversation.conversation_id == room_conversation_id(conversation.organization_id, ref):
        return ref
    return ""


@lru_cache(maxsize=4_096)
def room_conversation_id(organization_id: str, external_ref: str) -> str:
    """Returns the id of a room."""
    return _digest(16, "room", organization_id, external_ref)
