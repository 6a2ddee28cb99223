"""Converts between the domain model and MongoDB documents. Log entries, most of the data, have short field names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson.datetime_ms import DatetimeMS

from services.chat.domain import (
    Attachment,
    Change,
    ChangeKind,
    Conversation,
    ConversationKind,
    Head,
    LogEntry,
    Member,
    MemberRole,
    Message,
    Origin,
    Reaction,
    Version,
)


def member_id(conversation_id: str, user_id: str) -> str:
    """Returns a key that sorts by conversation, then user: conversation ids have one length and no "/"."""
    return f"{conversation_id}/{user_id}"


def from_message(message: Message) -> dict[str, Any]:
    """Converts a message to a document."""
    document: dict[str, Any] = {
        "_id": message.message_id,
        "c": message.conversation_id,
        "r": message.sent_rev,
        "s": message.seq,
        "v": message.rev,
        "u": message.sender_id,
        "k": message.client_message_id,
        "t": int(message.kind),
        "x": message.text,
        "at": DatetimeMS(message.create_ms),
    }
    if message.sender_name:
        document["n"] = message.sender_name
    if message.attachments:
        document["files"] = [list(attachment) for attachment in message.attachments]
    if message.reply_to:
        document["re"] = message.reply_to
    if message.mentions:
        document["ment"] = list(message.mentions)
    if message.rev != message.sent_rev or message.data is not None or message.forwarded_from is not None:
        _write_rare_fields(document, message)
    return document


def _write_rare_fields(document: dict[str, Any], message: Message) -> None:
    """Writes the fields that a plain message gets by changes alone."""
    if message.edit_ms:
        document["edited"] = DatetimeMS(message.edit_ms)
    if message.delete_ms:
        document["deleted"] = DatetimeMS(message.delete_ms)
    if message.reactions:
        document["react"] = [[emoji, list(user_ids)] for emoji, user_ids in message.reactions]
    if message.data is not None:
        document["data"] = message.data
    if message.pinned:
        document["pin"] = True
    if message.forwarded_from is not None:
        document["fwd"] = list(message.forwarded_from)


def to_message(document: Mapping[str, Any]) -> Message:
    """Converts a document to a message."""
    return Message(
        message_id=document["_id"],
        conversation_id=document["c"],
        seq=document["s"],
        sent_rev=document["r"],
        rev=document["v"],
        sender_id=document["u"],
        client_message_id=document["k"],
        kind=document["t"],
        text=document["x"],
        create_ms=int(document["at"]),
        sender_name=document.get("n", ""),
        attachments=tuple(Attachment(*fields) for fields in document.get("files", ())),
        reply_to=document.get("re", ""),
        mentions=tuple(document.get("ment", ())),
        edit_ms=int(document.get("edited", 0)),
        delete_ms=int(document.get("deleted", 0)),
        reactions=tuple(Reaction(emoji, tuple(user_ids)) for emoji, user_ids in document.get("react", ())),
        data=document.get("data"),
        pinned="pin" in document,
        forwarded_from=Origin(*document["fwd"]) if "fwd" in document else None,
    )


def from_version(message: Message, replaced: Version) -> dict[str, Any]:
    """Converts the text that a message had before its present rev."""
    return {
        "_id": f"{message.message_id}/{message.rev}",
        "c": message.conversation_id,
        "m": message.message_id,
        "r": message.rev,
        "x": replaced.text,
        "at": DatetimeMS(replaced.time_ms),
    }


def to_version(document: Mapping[str, Any]) -> Version:
    """Converts a document to a text that a message had."""
    return Version(document["x"], int(document["at"]))


def from_change(change: Change) -> dict[str, Any]:
    """Converts a change entry to a document."""
    document: dict[str, Any] = {
        "_id": change.change_id or f"{change.conversation_id}/{change.rev}",
        "c": change.conversation_id,
        "r": change.rev,
        "h": change.seq,
        "e": int(change.kind),
        "u": change.actor_id,
        "at": DatetimeMS(change.time_ms),
    }
    if change.message_id:
        document["m"] = change.message_id
    if change.removed:
        document["rem"] = [[m.user_id, int(m.role), m.read_seq, m.delivered_seq] for m in change.removed]
    for name, users in (("add", change.added), ("upd", change.updated)):
        if users:
            document[name] = list(users)
    return document


def to_entry(document: Mapping[str, Any]) -> LogEntry:
    """Converts a document of the log to a message or a change entry."""
    return to_change(document) if "e" in document else to_message(document)


def to_change(document: Mapping[str, Any]) -> Change:
    """Converts a document to a change entry."""
    change_id = document["_id"]
    return Change(
        conversation_id=document["c"],
        rev=document["r"],
        seq=document["h"],
        kind=ChangeKind(document["e"]),
        actor_id=document["u"],
        time_ms=int(document["at"]),
        message_id=document.get("m", ""),
        added=tuple(document.get("add", ())),
        removed=tuple(
            Member(user_id, MemberRole(role), read, delivered)
            for user_id, role, read, delivered in document.get("rem", ())
        ),
        updated=tuple(document.get("upd", ())),
        change_id="" if "/" in change_id else change_id,
    )


def head_fields(head: Head) -> dict[str, Any]:
    """Returns a summary's fields."""
    return {
        "seq": head.seq,
        "rev": head.rev,
        "last": head.last_message_id,
        "active": DatetimeMS(head.last_message_ms),
        "changed": DatetimeMS(head.changed_ms),
    }


def from_conversation(conversation: Conversation) -> dict[str, Any]:
    """Converts a conversation to a document."""
    return {
        "_id": conversation.conversation_id,
        "o": conversation.organization_id,
        "kind": int(conversation.kind),
        "by": conversation.created_by,
        "name": conversation.name,
        "description": conversation.description,
        "external_ref": conversation.external_ref,
        "archived": conversation.archived,
        "tags": list(conversation.tags),
        "member_count": conversation.member_count,
        "created": DatetimeMS(conversation.created_ms),
        **head_fields(conversation.head),
    }


def to_conversation(document: Mapping[str, Any]) -> Conversation:
    """Converts a document to a conversation."""
    return Conversation(
        conversation_id=document["_id"],
        organization_id=document["o"],
        kind=ConversationKind(document["kind"]),
        created_by=document["by"],
        head=Head(
            document["seq"], document["rev"], document["last"], int(document["active"]), int(document["changed"])
        ),
        name=document["name"],
        description=document["description"],
        external_ref=document["external_ref"],
        archived=document["archived"],
        tags=tuple(document["tags"]),
        member_count=document["member_count"],
        created_ms=int(document.get("created", 0)),
    )


def from_member(organization_id: str, conversation_id: str, member: Member) -> dict[str, Any]:
    """Converts a member to a document."""
    document: dict[str, Any] = {
        "_id": member_id(conversation_id, member.user_id),
        "o": organization_id,
        "c": conversation_id,
        "u": member.user_id,
        "role": int(member.role),
        "read": member.read_seq,
        "delivered": member.delivered_seq,
        "joined": member.joined_rev,
    }
    if member.muted_until_ms:
        document["muted"] = DatetimeMS(member.muted_until_ms)
    if member.read_ms:
        document["read_at"] = DatetimeMS(member.read_ms)
    if member.delivered_ms:
        document["delivered_at"] = DatetimeMS(member.delivered_ms)
    if member.pinned:
        document["pin"] = True
    return document


def to_member(document: Mapping[str, Any]) -> Member:
    """Converts a document to a member."""
    return Member(
        user_id=document["u"],
        role=MemberRole(document["role"]),
        read_seq=document["read"],
        delivered_seq=document["delivered"],
        muted_until_ms=int(document.get("muted", 0)),
        joined_rev=document["joined"],
        read_ms=int(document.get("read_at", 0)),
        delivered_ms=int(document.get("delivered_at", 0)),
        pinned="pin" in document,
    )
