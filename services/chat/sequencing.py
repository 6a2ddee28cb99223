"""Turns drafts into messages: assigns the next seq and rev, and a time that never decreases along them."""

from __future__ import annotations

from dataclasses import dataclass

from services.chat.domain import Attachment, Head, Message, Origin


@dataclass(slots=True)
class Draft:
    """A validated message without a place in its conversation."""

    organization_id: str
    conversation_id: str
    sender_id: str
    sender_name: str
    origin: str
    """The connection that sent it, which receives no event of it; empty if all connections do."""
    client_message_id: str
    message_id: str
    kind: int
    text: str
    attachments: tuple[Attachment, ...] = ()
    reply_to: str = ""
    mentions: tuple[str, ...] = ()
    data: dict[str, object] | None = None
    forwarded_from: Origin | None = None


def assign_seq(draft: Draft, mentions: tuple[str, ...], head: Head, now_ms: int) -> Message:
    """Returns the message that follows `head`, with the valid ones of its mentions.

    Replicas' clocks differ, so the time is at least that of the message before.
    """
    return Message(
        message_id=draft.message_id,
        conversation_id=draft.conversation_id,
        seq=head.seq + 1,
        sent_rev=head.rev + 1,
        rev=head.rev + 1,
        sender_id=draft.sender_id,
        client_message_id=draft.client_message_id,
        kind=draft.kind,
        text=draft.text,
        create_ms=max(now_ms, head.last_message_ms),
        sender_name=draft.sender_name,
        attachments=draft.attachments,
        reply_to=draft.reply_to,
        mentions=mentions,
        data=draft.data,
        forwarded_from=draft.forwarded_from,
    )
